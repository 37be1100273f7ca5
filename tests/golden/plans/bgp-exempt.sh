# Namespaces
ip netns add client
ip -n client link set lo up
ip netns add n1
ip -n n1 link set lo up
ip netns add n2
ip -n n2 link set lo up
ip netns add default.fixed
ip -n default.fixed link set lo up
ip netns add default.web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l link set lo up
ip netns add default.web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 link set lo up
ip netns add default.web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt link set lo up

# The underlay: switches here, and a veth pair per link
ip link add s1 type bridge
ip link set s1 up
ip link add client-eth0 netns client type veth peer name s1-eth3
ip -n client link set client-eth0 up
ip link set s1-eth3 master s1 up
ip link add n1-eth0 netns n1 type veth peer name s1-eth1
ip -n n1 link set n1-eth0 up
ip link set s1-eth1 master s1 up
ip link add n2-eth0 netns n2 type veth peer name s1-eth2
ip -n n2 link set n2-eth0 up
ip link set s1-eth2 master s1 up

# fabric
ip link set s1-eth3 mtu 1500
ip link set s1-eth1 mtu 1500
ip link set s1-eth2 mtu 1500
sysctl -qw net/ipv6/conf/all/disable_ipv6=1

# external/client
ip -n client link set client-eth0 mtu 1500 address 02:00:c0:a8:00:c8
ip -n client address add 192.168.0.200/24 broadcast + dev client-eth0
ip netns exec client sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip -n client neighbour replace 192.168.0.11 lladdr 02:00:c0:a8:00:0b dev client-eth0 nud permanent
ip -n client neighbour replace 192.168.0.12 lladdr 02:00:c0:a8:00:0c dev client-eth0 nud permanent
ip -n client route add 198.51.100.0/24 dev client-eth0 scope link

# node/n1
ip -n n1 link set n1-eth0 mtu 1500 address 02:00:c0:a8:00:0b
ip -n n1 link add cali319f6b4c456 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:01:09 mtu 1500 netns default.fixed
ip -n default.fixed link set eth0 up
ip -n n1 link set cali319f6b4c456 up
ip -n n1 link add cali3aee842c7f7 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:01:02 mtu 1500 netns default.web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 link set eth0 up
ip -n n1 link set cali3aee842c7f7 up
ip -n n1 address add 192.168.0.11/24 broadcast + dev n1-eth0
ip netns exec n1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/cali319f6b4c456/proxy_arp=1
ip netns exec n1 sysctl -qw net/ipv4/neigh/cali319f6b4c456/proxy_delay=0
ip netns exec n1 sysctl -qw net/ipv4/conf/cali3aee842c7f7/proxy_arp=1
ip netns exec n1 sysctl -qw net/ipv4/neigh/cali3aee842c7f7/proxy_delay=0
ip -n n1 neighbour replace 192.168.0.200 lladdr 02:00:c0:a8:00:c8 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.0.12 lladdr 02:00:c0:a8:00:0c dev n1-eth0 nud permanent
ip -n n1 neighbour replace 10.244.1.9 lladdr 0a:58:0a:f4:01:09 dev cali319f6b4c456 nud permanent
ip -n n1 neighbour replace 10.244.1.2 lladdr 0a:58:0a:f4:01:02 dev cali3aee842c7f7 nud permanent
ip -n n1 route add 0.0.0.0/0 dev n1-eth0 scope link
ip -n n1 route add blackhole 10.244.1.0/24 proto 4
ip -n n1 route add 10.244.1.9/32 dev cali319f6b4c456 scope link
ip -n n1 route add 10.244.1.2/32 dev cali3aee842c7f7 scope link
ip netns exec n1 iptables-restore --noflush <<'RULES'
*nat
:IP-MASQ-AGENT - [0:0]
-A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT
-A IP-MASQ-AGENT -m mark --mark 0x4000/0x4000 -j RETURN
-A IP-MASQ-AGENT -s 10.244.0.0/16 -d 192.168.0.201/32 -j ACCEPT
-A IP-MASQ-AGENT -s 10.244.0.0/16 -d 10.0.0.0/8 -j ACCEPT
COMMIT
RULES
ip netns exec n1 iptables-restore --noflush <<'RULES'
*nat
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE --random-fully
COMMIT
RULES
mkdir -p /etc/netns/n1/frr
cat > /etc/netns/n1/frr/zebra.conf <<'FILE'
! n1: zebra, which puts routes into the kernel
frr defaults datacenter
hostname n1
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/n1/frr
cat > /etc/netns/n1/frr/bgpd.conf <<'FILE'
! n1: bgpd, AS 64512
frr defaults datacenter
hostname n1
log stdout
!
router bgp 64512
 bgp router-id 192.168.0.11
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor MESH peer-group
 neighbor MESH remote-as internal
 neighbor MESH timers 60 180
 neighbor MESH timers connect 1
 neighbor MESH advertisement-interval 0
 neighbor 192.168.0.12 peer-group MESH
 !
 address-family ipv4 unicast
  network 10.244.1.0/24
  neighbor MESH activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/n1/frr
cat > /etc/netns/n1/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/n1/run/frr /run/frr
ip netns exec n1 sh -c 'mount --bind /run/testbed-plan/n1/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/n1/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/n1/run/frr /run/frr
ip netns exec n1 sh -c 'mount --bind /run/testbed-plan/n1/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/n1/run/frr/bgpd.vty ]; do sleep 0.05; done

# node/n2
ip -n n2 link set n2-eth0 mtu 1500 address 02:00:c0:a8:00:0c
ip -n n2 link add cali29127f80132 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:02:02 mtu 1500 netns default.web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l link set eth0 up
ip -n n2 link set cali29127f80132 up
ip -n n2 link add cali5ac563f486a address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:02:03 mtu 1500 netns default.web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt link set eth0 up
ip -n n2 link set cali5ac563f486a up
ip -n n2 address add 192.168.0.12/24 broadcast + dev n2-eth0
ip netns exec n2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/cali29127f80132/proxy_arp=1
ip netns exec n2 sysctl -qw net/ipv4/neigh/cali29127f80132/proxy_delay=0
ip netns exec n2 sysctl -qw net/ipv4/conf/cali5ac563f486a/proxy_arp=1
ip netns exec n2 sysctl -qw net/ipv4/neigh/cali5ac563f486a/proxy_delay=0
ip -n n2 neighbour replace 192.168.0.200 lladdr 02:00:c0:a8:00:c8 dev n2-eth0 nud permanent
ip -n n2 neighbour replace 192.168.0.11 lladdr 02:00:c0:a8:00:0b dev n2-eth0 nud permanent
ip -n n2 neighbour replace 10.244.2.2 lladdr 0a:58:0a:f4:02:02 dev cali29127f80132 nud permanent
ip -n n2 neighbour replace 10.244.2.3 lladdr 0a:58:0a:f4:02:03 dev cali5ac563f486a nud permanent
ip -n n2 route add 0.0.0.0/0 dev n2-eth0 scope link
ip -n n2 route add blackhole 10.244.2.0/24 proto 4
ip -n n2 route add 10.244.2.2/32 dev cali29127f80132 scope link
ip -n n2 route add 10.244.2.3/32 dev cali5ac563f486a scope link
ip netns exec n2 iptables-restore --noflush <<'RULES'
*nat
:IP-MASQ-AGENT - [0:0]
-A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT
-A IP-MASQ-AGENT -m mark --mark 0x4000/0x4000 -j RETURN
-A IP-MASQ-AGENT -s 10.244.0.0/16 -d 192.168.0.201/32 -j ACCEPT
-A IP-MASQ-AGENT -s 10.244.0.0/16 -d 10.0.0.0/8 -j ACCEPT
COMMIT
RULES
ip netns exec n2 iptables-restore --noflush <<'RULES'
*nat
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE --random-fully
COMMIT
RULES
mkdir -p /etc/netns/n2/frr
cat > /etc/netns/n2/frr/zebra.conf <<'FILE'
! n2: zebra, which puts routes into the kernel
frr defaults datacenter
hostname n2
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/n2/frr
cat > /etc/netns/n2/frr/bgpd.conf <<'FILE'
! n2: bgpd, AS 64512
frr defaults datacenter
hostname n2
log stdout
!
router bgp 64512
 bgp router-id 192.168.0.12
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor MESH peer-group
 neighbor MESH remote-as internal
 neighbor MESH timers 60 180
 neighbor MESH timers connect 1
 neighbor MESH advertisement-interval 0
 neighbor 192.168.0.11 peer-group MESH
 !
 address-family ipv4 unicast
  network 10.244.2.0/24
  neighbor MESH activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/n2/frr
cat > /etc/netns/n2/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/n2/run/frr /run/frr
ip netns exec n2 sh -c 'mount --bind /run/testbed-plan/n2/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/n2/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/n2/run/frr /run/frr
ip netns exec n2 sh -c 'mount --bind /run/testbed-plan/n2/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/n2/run/frr/bgpd.vty ]; do sleep 0.05; done

# pod/default/fixed
ip -n default.fixed address add 10.244.1.9/32 dev eth0
ip -n default.fixed neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent
ip -n default.fixed route add 169.254.1.1/32 dev eth0 scope link
ip -n default.fixed route add 0.0.0.0/0 via 169.254.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l address add 10.244.2.2/32 dev eth0
ip -n default.web-l6lqt6p8dn-vkf9l neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-vkf9l route add 169.254.1.1/32 dev eth0 scope link
ip -n default.web-l6lqt6p8dn-vkf9l route add 0.0.0.0/0 via 169.254.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 address add 10.244.1.2/32 dev eth0
ip -n default.web-l6lqt6p8dn-fbxw8 neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-fbxw8 route add 169.254.1.1/32 dev eth0 scope link
ip -n default.web-l6lqt6p8dn-fbxw8 route add 0.0.0.0/0 via 169.254.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt address add 10.244.2.3/32 dev eth0
ip -n default.web-l6lqt6p8dn-wzhmt neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-wzhmt route add 169.254.1.1/32 dev eth0 scope link
ip -n default.web-l6lqt6p8dn-wzhmt route add 0.0.0.0/0 via 169.254.1.1 dev eth0
