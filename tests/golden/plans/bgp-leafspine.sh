# Namespaces
ip netns add b1
ip -n b1 link set lo up
ip netns add client
ip -n client link set lo up
ip netns add l1
ip -n l1 link set lo up
ip netns add l2
ip -n l2 link set lo up
ip netns add n1
ip -n n1 link set lo up
ip netns add n2
ip -n n2 link set lo up
ip netns add n3
ip -n n3 link set lo up
ip netns add n4
ip -n n4 link set lo up
ip netns add sp1
ip -n sp1 link set lo up
ip netns add sp2
ip -n sp2 link set lo up
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
ip link add s2 type bridge
ip link set s2 up
ip link add sb100 type bridge
ip link set sb100 up
ip link add b1-eth0 netns b1 type veth peer name sb100-eth1
ip -n b1 link set b1-eth0 up
ip link set sb100-eth1 master sb100 up
ip link add b1-eth1 netns b1 type veth peer name sp1-eth2 netns sp1
ip -n b1 link set b1-eth1 up
ip -n sp1 link set sp1-eth2 up
ip link add b1-eth2 netns b1 type veth peer name sp2-eth2 netns sp2
ip -n b1 link set b1-eth2 up
ip -n sp2 link set sp2-eth2 up
ip link add client-eth0 netns client type veth peer name sb100-eth2
ip -n client link set client-eth0 up
ip link set sb100-eth2 master sb100 up
ip link add l1-eth0 netns l1 type veth peer name s1-eth1
ip -n l1 link set l1-eth0 up
ip link set s1-eth1 master s1 up
ip link add l1-eth1 netns l1 type veth peer name sp1-eth0 netns sp1
ip -n l1 link set l1-eth1 up
ip -n sp1 link set sp1-eth0 up
ip link add l1-eth2 netns l1 type veth peer name sp2-eth0 netns sp2
ip -n l1 link set l1-eth2 up
ip -n sp2 link set sp2-eth0 up
ip link add l2-eth0 netns l2 type veth peer name s2-eth1
ip -n l2 link set l2-eth0 up
ip link set s2-eth1 master s2 up
ip link add l2-eth1 netns l2 type veth peer name sp1-eth1 netns sp1
ip -n l2 link set l2-eth1 up
ip -n sp1 link set sp1-eth1 up
ip link add l2-eth2 netns l2 type veth peer name sp2-eth1 netns sp2
ip -n l2 link set l2-eth2 up
ip -n sp2 link set sp2-eth1 up
ip link add n1-eth0 netns n1 type veth peer name s1-eth2
ip -n n1 link set n1-eth0 up
ip link set s1-eth2 master s1 up
ip link add n2-eth0 netns n2 type veth peer name s1-eth3
ip -n n2 link set n2-eth0 up
ip link set s1-eth3 master s1 up
ip link add n3-eth0 netns n3 type veth peer name s2-eth2
ip -n n3 link set n3-eth0 up
ip link set s2-eth2 master s2 up
ip link add n4-eth0 netns n4 type veth peer name s2-eth3
ip -n n4 link set n4-eth0 up
ip link set s2-eth3 master s2 up

# fabric
ip link set sb100-eth1 mtu 1500
ip link set sb100-eth2 mtu 1500
ip link set s1-eth1 mtu 1500
ip link set s2-eth1 mtu 1500
ip link set s1-eth2 mtu 1500
ip link set s1-eth3 mtu 1500
ip link set s2-eth2 mtu 1500
ip link set s2-eth3 mtu 1500
sysctl -qw net/ipv6/conf/all/disable_ipv6=1

# router/b1
ip -n b1 link set b1-eth0 mtu 1500 address 02:00:c0:a8:64:01
ip -n b1 link set b1-eth1 mtu 1500 address 02:00:0a:00:01:05
ip -n b1 link set b1-eth2 mtu 1500 address 02:00:0a:00:02:05
ip -n b1 address add 192.168.100.1/24 broadcast + dev b1-eth0
ip -n b1 address add 10.0.1.5/31 dev b1-eth1
ip -n b1 address add 10.0.2.5/31 dev b1-eth2
ip netns exec b1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec b1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec b1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec b1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec b1 sysctl -qw net/ipv4/fib_multipath_hash_policy=1
ip -n b1 neighbour replace 192.168.100.200 lladdr 02:00:c0:a8:64:c8 dev b1-eth0 nud permanent
ip -n b1 neighbour replace 10.0.1.4 lladdr 02:00:0a:00:01:04 dev b1-eth1 nud permanent
ip -n b1 neighbour replace 10.0.2.4 lladdr 02:00:0a:00:02:04 dev b1-eth2 nud permanent
mkdir -p /etc/netns/b1/frr
cat > /etc/netns/b1/frr/zebra.conf <<'FILE'
! b1: zebra, which puts routes into the kernel
frr defaults datacenter
hostname b1
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/b1/frr
cat > /etc/netns/b1/frr/bgpd.conf <<'FILE'
! b1: bgpd, AS 65100
frr defaults datacenter
hostname b1
log stdout
!
router bgp 65100
 bgp router-id 192.168.100.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor FABRIC peer-group
 neighbor FABRIC remote-as external
 neighbor FABRIC timers 3 9
 neighbor FABRIC timers connect 1
 neighbor FABRIC advertisement-interval 0
 neighbor 10.0.1.4 peer-group FABRIC
 neighbor 10.0.2.4 peer-group FABRIC
 !
 address-family ipv4 unicast
  network 192.168.100.0/24
  network 10.0.1.4/31
  network 10.0.2.4/31
  neighbor FABRIC activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/b1/frr
cat > /etc/netns/b1/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/b1/run/frr /run/frr
ip netns exec b1 sh -c 'mount --bind /run/testbed-plan/b1/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/b1/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/b1/run/frr /run/frr
ip netns exec b1 sh -c 'mount --bind /run/testbed-plan/b1/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/b1/run/frr/bgpd.vty ]; do sleep 0.05; done

# external/client
ip -n client link set client-eth0 mtu 1500 address 02:00:c0:a8:64:c8
ip -n client address add 192.168.100.200/24 broadcast + dev client-eth0
ip netns exec client sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip -n client neighbour replace 192.168.100.1 lladdr 02:00:c0:a8:64:01 dev client-eth0 nud permanent
ip -n client route add 0.0.0.0/0 via 192.168.100.1 dev client-eth0

# router/l1
ip -n l1 link set l1-eth0 mtu 1500 address 02:00:c0:a8:01:01
ip -n l1 link set l1-eth1 mtu 1500 address 02:00:0a:00:01:01
ip -n l1 link set l1-eth2 mtu 1500 address 02:00:0a:00:02:01
ip -n l1 address add 192.168.1.1/24 broadcast + dev l1-eth0
ip -n l1 address add 10.0.1.1/31 dev l1-eth1
ip -n l1 address add 10.0.2.1/31 dev l1-eth2
ip netns exec l1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec l1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec l1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec l1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec l1 sysctl -qw net/ipv4/fib_multipath_hash_policy=1
ip -n l1 neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev l1-eth0 nud permanent
ip -n l1 neighbour replace 192.168.1.12 lladdr 02:00:c0:a8:01:0c dev l1-eth0 nud permanent
ip -n l1 neighbour replace 10.0.1.0 lladdr 02:00:0a:00:01:00 dev l1-eth1 nud permanent
ip -n l1 neighbour replace 10.0.2.0 lladdr 02:00:0a:00:02:00 dev l1-eth2 nud permanent
ip -n l1 route add 198.51.100.0/24 dev l1-eth0 scope link
mkdir -p /etc/netns/l1/frr
cat > /etc/netns/l1/frr/zebra.conf <<'FILE'
! l1: zebra, which puts routes into the kernel
frr defaults datacenter
hostname l1
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/l1/frr
cat > /etc/netns/l1/frr/bgpd.conf <<'FILE'
! l1: bgpd, AS 65001
frr defaults datacenter
hostname l1
log stdout
!
router bgp 65001
 bgp router-id 192.168.1.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor FABRIC peer-group
 neighbor FABRIC remote-as external
 neighbor FABRIC timers 3 9
 neighbor FABRIC timers connect 1
 neighbor FABRIC advertisement-interval 0
 neighbor 10.0.1.0 peer-group FABRIC
 neighbor 10.0.2.0 peer-group FABRIC
 neighbor NODES peer-group
 neighbor NODES remote-as external
 neighbor NODES timers 3 9
 neighbor NODES timers connect 1
 neighbor NODES advertisement-interval 0
 bgp listen range 192.168.1.0/24 peer-group NODES
 !
 address-family ipv4 unicast
  network 192.168.1.0/24
  network 10.0.1.0/31
  network 10.0.2.0/31
  network 198.51.100.0/24
  neighbor FABRIC activate
  neighbor NODES activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/l1/frr
cat > /etc/netns/l1/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/l1/run/frr /run/frr
ip netns exec l1 sh -c 'mount --bind /run/testbed-plan/l1/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/l1/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/l1/run/frr /run/frr
ip netns exec l1 sh -c 'mount --bind /run/testbed-plan/l1/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/l1/run/frr/bgpd.vty ]; do sleep 0.05; done

# router/l2
ip -n l2 link set l2-eth0 mtu 1500 address 02:00:c0:a8:02:01
ip -n l2 link set l2-eth1 mtu 1500 address 02:00:0a:00:01:03
ip -n l2 link set l2-eth2 mtu 1500 address 02:00:0a:00:02:03
ip -n l2 address add 192.168.2.1/24 broadcast + dev l2-eth0
ip -n l2 address add 10.0.1.3/31 dev l2-eth1
ip -n l2 address add 10.0.2.3/31 dev l2-eth2
ip netns exec l2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec l2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec l2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec l2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec l2 sysctl -qw net/ipv4/fib_multipath_hash_policy=1
ip -n l2 neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev l2-eth0 nud permanent
ip -n l2 neighbour replace 192.168.2.12 lladdr 02:00:c0:a8:02:0c dev l2-eth0 nud permanent
ip -n l2 neighbour replace 10.0.1.2 lladdr 02:00:0a:00:01:02 dev l2-eth1 nud permanent
ip -n l2 neighbour replace 10.0.2.2 lladdr 02:00:0a:00:02:02 dev l2-eth2 nud permanent
mkdir -p /etc/netns/l2/frr
cat > /etc/netns/l2/frr/zebra.conf <<'FILE'
! l2: zebra, which puts routes into the kernel
frr defaults datacenter
hostname l2
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/l2/frr
cat > /etc/netns/l2/frr/bgpd.conf <<'FILE'
! l2: bgpd, AS 65002
frr defaults datacenter
hostname l2
log stdout
!
router bgp 65002
 bgp router-id 192.168.2.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor FABRIC peer-group
 neighbor FABRIC remote-as external
 neighbor FABRIC timers 3 9
 neighbor FABRIC timers connect 1
 neighbor FABRIC advertisement-interval 0
 neighbor 10.0.1.2 peer-group FABRIC
 neighbor 10.0.2.2 peer-group FABRIC
 neighbor NODES peer-group
 neighbor NODES remote-as external
 neighbor NODES timers 3 9
 neighbor NODES timers connect 1
 neighbor NODES advertisement-interval 0
 bgp listen range 192.168.2.0/24 peer-group NODES
 !
 address-family ipv4 unicast
  network 192.168.2.0/24
  network 10.0.1.2/31
  network 10.0.2.2/31
  neighbor FABRIC activate
  neighbor NODES activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/l2/frr
cat > /etc/netns/l2/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/l2/run/frr /run/frr
ip netns exec l2 sh -c 'mount --bind /run/testbed-plan/l2/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/l2/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/l2/run/frr /run/frr
ip netns exec l2 sh -c 'mount --bind /run/testbed-plan/l2/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/l2/run/frr/bgpd.vty ]; do sleep 0.05; done

# node/n1
ip -n n1 link set n1-eth0 mtu 1500 address 02:00:c0:a8:01:0b
ip -n n1 link add cali319f6b4c456 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:01:09 mtu 1500 netns default.fixed
ip -n default.fixed link set eth0 up
ip -n n1 link set cali319f6b4c456 up
ip -n n1 address add 192.168.1.11/24 broadcast + dev n1-eth0
ip netns exec n1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/cali319f6b4c456/proxy_arp=1
ip netns exec n1 sysctl -qw net/ipv4/neigh/cali319f6b4c456/proxy_delay=0
ip -n n1 neighbour replace 192.168.1.1 lladdr 02:00:c0:a8:01:01 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.1.12 lladdr 02:00:c0:a8:01:0c dev n1-eth0 nud permanent
ip -n n1 neighbour replace 10.244.1.9 lladdr 0a:58:0a:f4:01:09 dev cali319f6b4c456 nud permanent
ip -n n1 route add 0.0.0.0/0 via 192.168.1.1 dev n1-eth0
ip -n n1 route add blackhole 10.244.1.0/24 proto 4
ip -n n1 route add 10.244.1.9/32 dev cali319f6b4c456 scope link
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
! n1: bgpd, AS 4200000000
frr defaults datacenter
hostname n1
log stdout
!
router bgp 4200000000
 bgp router-id 192.168.1.11
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor TOR peer-group
 neighbor TOR remote-as external
 neighbor TOR timers 3 9
 neighbor TOR timers connect 1
 neighbor TOR advertisement-interval 0
 neighbor 192.168.1.1 peer-group TOR
 !
 address-family ipv4 unicast
  network 10.244.1.0/24
  neighbor TOR activate
  neighbor TOR prefix-list TOR-IN in
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
ip prefix-list TOR-IN seq 5 permit 10.244.0.0/16 le 32
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
ip -n n2 link set n2-eth0 mtu 1500 address 02:00:c0:a8:01:0c
ip -n n2 link add cali29127f80132 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:02:02 mtu 1500 netns default.web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l link set eth0 up
ip -n n2 link set cali29127f80132 up
ip -n n2 address add 192.168.1.12/24 broadcast + dev n2-eth0
ip netns exec n2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/cali29127f80132/proxy_arp=1
ip netns exec n2 sysctl -qw net/ipv4/neigh/cali29127f80132/proxy_delay=0
ip -n n2 neighbour replace 192.168.1.1 lladdr 02:00:c0:a8:01:01 dev n2-eth0 nud permanent
ip -n n2 neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev n2-eth0 nud permanent
ip -n n2 neighbour replace 10.244.2.2 lladdr 0a:58:0a:f4:02:02 dev cali29127f80132 nud permanent
ip -n n2 route add 0.0.0.0/0 via 192.168.1.1 dev n2-eth0
ip -n n2 route add blackhole 10.244.2.0/24 proto 4
ip -n n2 route add 10.244.2.2/32 dev cali29127f80132 scope link
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
! n2: bgpd, AS 4200000001
frr defaults datacenter
hostname n2
log stdout
!
router bgp 4200000001
 bgp router-id 192.168.1.12
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor TOR peer-group
 neighbor TOR remote-as external
 neighbor TOR timers 3 9
 neighbor TOR timers connect 1
 neighbor TOR advertisement-interval 0
 neighbor 192.168.1.1 peer-group TOR
 !
 address-family ipv4 unicast
  network 10.244.2.0/24
  neighbor TOR activate
  neighbor TOR prefix-list TOR-IN in
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
ip prefix-list TOR-IN seq 5 permit 10.244.0.0/16 le 32
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

# node/n3
ip -n n3 link set n3-eth0 mtu 1500 address 02:00:c0:a8:02:0b
ip -n n3 link add cali3aee842c7f7 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:03:02 mtu 1500 netns default.web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 link set eth0 up
ip -n n3 link set cali3aee842c7f7 up
ip -n n3 address add 192.168.2.11/24 broadcast + dev n3-eth0
ip netns exec n3 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n3 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n3 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n3 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n3 sysctl -qw net/ipv4/conf/cali3aee842c7f7/proxy_arp=1
ip netns exec n3 sysctl -qw net/ipv4/neigh/cali3aee842c7f7/proxy_delay=0
ip -n n3 neighbour replace 192.168.2.1 lladdr 02:00:c0:a8:02:01 dev n3-eth0 nud permanent
ip -n n3 neighbour replace 192.168.2.12 lladdr 02:00:c0:a8:02:0c dev n3-eth0 nud permanent
ip -n n3 neighbour replace 10.244.3.2 lladdr 0a:58:0a:f4:03:02 dev cali3aee842c7f7 nud permanent
ip -n n3 route add 0.0.0.0/0 via 192.168.2.1 dev n3-eth0
ip -n n3 route add blackhole 10.244.3.0/24 proto 4
ip -n n3 route add 10.244.3.2/32 dev cali3aee842c7f7 scope link
ip netns exec n3 iptables-restore --noflush <<'RULES'
*nat
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE --random-fully
COMMIT
RULES
mkdir -p /etc/netns/n3/frr
cat > /etc/netns/n3/frr/zebra.conf <<'FILE'
! n3: zebra, which puts routes into the kernel
frr defaults datacenter
hostname n3
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/n3/frr
cat > /etc/netns/n3/frr/bgpd.conf <<'FILE'
! n3: bgpd, AS 4200000002
frr defaults datacenter
hostname n3
log stdout
!
router bgp 4200000002
 bgp router-id 192.168.2.11
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor TOR peer-group
 neighbor TOR remote-as external
 neighbor TOR timers 3 9
 neighbor TOR timers connect 1
 neighbor TOR advertisement-interval 0
 neighbor 192.168.2.1 peer-group TOR
 !
 address-family ipv4 unicast
  network 10.244.3.0/24
  neighbor TOR activate
  neighbor TOR prefix-list TOR-IN in
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
ip prefix-list TOR-IN seq 5 permit 10.244.0.0/16 le 32
FILE
mkdir -p /etc/netns/n3/frr
cat > /etc/netns/n3/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/n3/run/frr /run/frr
ip netns exec n3 sh -c 'mount --bind /run/testbed-plan/n3/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/n3/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/n3/run/frr /run/frr
ip netns exec n3 sh -c 'mount --bind /run/testbed-plan/n3/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/n3/run/frr/bgpd.vty ]; do sleep 0.05; done

# node/n4
ip -n n4 link set n4-eth0 mtu 1500 address 02:00:c0:a8:02:0c
ip -n n4 link add cali5ac563f486a address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:04:02 mtu 1500 netns default.web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt link set eth0 up
ip -n n4 link set cali5ac563f486a up
ip -n n4 address add 192.168.2.12/24 broadcast + dev n4-eth0
ip netns exec n4 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n4 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n4 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n4 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n4 sysctl -qw net/ipv4/conf/cali5ac563f486a/proxy_arp=1
ip netns exec n4 sysctl -qw net/ipv4/neigh/cali5ac563f486a/proxy_delay=0
ip -n n4 neighbour replace 192.168.2.1 lladdr 02:00:c0:a8:02:01 dev n4-eth0 nud permanent
ip -n n4 neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev n4-eth0 nud permanent
ip -n n4 neighbour replace 10.244.4.2 lladdr 0a:58:0a:f4:04:02 dev cali5ac563f486a nud permanent
ip -n n4 route add 0.0.0.0/0 via 192.168.2.1 dev n4-eth0
ip -n n4 route add blackhole 10.244.4.0/24 proto 4
ip -n n4 route add 10.244.4.2/32 dev cali5ac563f486a scope link
ip netns exec n4 iptables-restore --noflush <<'RULES'
*nat
:cali-POSTROUTING - [0:0]
:cali-nat-outgoing - [0:0]
-A POSTROUTING -j cali-POSTROUTING
-A cali-POSTROUTING -j cali-nat-outgoing
-A cali-nat-outgoing -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE --random-fully
COMMIT
RULES
mkdir -p /etc/netns/n4/frr
cat > /etc/netns/n4/frr/zebra.conf <<'FILE'
! n4: zebra, which puts routes into the kernel
frr defaults datacenter
hostname n4
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/n4/frr
cat > /etc/netns/n4/frr/bgpd.conf <<'FILE'
! n4: bgpd, AS 4200000003
frr defaults datacenter
hostname n4
log stdout
!
router bgp 4200000003
 bgp router-id 192.168.2.12
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor TOR peer-group
 neighbor TOR remote-as external
 neighbor TOR timers 3 9
 neighbor TOR timers connect 1
 neighbor TOR advertisement-interval 0
 neighbor 192.168.2.1 peer-group TOR
 !
 address-family ipv4 unicast
  network 10.244.4.0/24
  neighbor TOR activate
  neighbor TOR prefix-list TOR-IN in
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
ip prefix-list TOR-IN seq 5 permit 10.244.0.0/16 le 32
FILE
mkdir -p /etc/netns/n4/frr
cat > /etc/netns/n4/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/n4/run/frr /run/frr
ip netns exec n4 sh -c 'mount --bind /run/testbed-plan/n4/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/n4/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/n4/run/frr /run/frr
ip netns exec n4 sh -c 'mount --bind /run/testbed-plan/n4/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/n4/run/frr/bgpd.vty ]; do sleep 0.05; done

# router/sp1
ip -n sp1 link set sp1-eth0 mtu 1500 address 02:00:0a:00:01:00
ip -n sp1 link set sp1-eth1 mtu 1500 address 02:00:0a:00:01:02
ip -n sp1 link set sp1-eth2 mtu 1500 address 02:00:0a:00:01:04
ip -n sp1 address add 10.0.1.0/31 dev sp1-eth0
ip -n sp1 address add 10.0.1.2/31 dev sp1-eth1
ip -n sp1 address add 10.0.1.4/31 dev sp1-eth2
ip netns exec sp1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec sp1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec sp1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec sp1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec sp1 sysctl -qw net/ipv4/fib_multipath_hash_policy=1
ip -n sp1 neighbour replace 10.0.1.5 lladdr 02:00:0a:00:01:05 dev sp1-eth2 nud permanent
ip -n sp1 neighbour replace 10.0.1.1 lladdr 02:00:0a:00:01:01 dev sp1-eth0 nud permanent
ip -n sp1 neighbour replace 10.0.1.3 lladdr 02:00:0a:00:01:03 dev sp1-eth1 nud permanent
mkdir -p /etc/netns/sp1/frr
cat > /etc/netns/sp1/frr/zebra.conf <<'FILE'
! sp1: zebra, which puts routes into the kernel
frr defaults datacenter
hostname sp1
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/sp1/frr
cat > /etc/netns/sp1/frr/bgpd.conf <<'FILE'
! sp1: bgpd, AS 65000
frr defaults datacenter
hostname sp1
log stdout
!
router bgp 65000
 bgp router-id 10.0.1.0
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor FABRIC peer-group
 neighbor FABRIC remote-as external
 neighbor FABRIC timers 3 9
 neighbor FABRIC timers connect 1
 neighbor FABRIC advertisement-interval 0
 neighbor 10.0.1.5 peer-group FABRIC
 neighbor 10.0.1.1 peer-group FABRIC
 neighbor 10.0.1.3 peer-group FABRIC
 !
 address-family ipv4 unicast
  network 10.0.1.0/31
  network 10.0.1.2/31
  network 10.0.1.4/31
  neighbor FABRIC activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/sp1/frr
cat > /etc/netns/sp1/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/sp1/run/frr /run/frr
ip netns exec sp1 sh -c 'mount --bind /run/testbed-plan/sp1/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/sp1/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/sp1/run/frr /run/frr
ip netns exec sp1 sh -c 'mount --bind /run/testbed-plan/sp1/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/sp1/run/frr/bgpd.vty ]; do sleep 0.05; done

# router/sp2
ip -n sp2 link set sp2-eth0 mtu 1500 address 02:00:0a:00:02:00
ip -n sp2 link set sp2-eth1 mtu 1500 address 02:00:0a:00:02:02
ip -n sp2 link set sp2-eth2 mtu 1500 address 02:00:0a:00:02:04
ip -n sp2 address add 10.0.2.0/31 dev sp2-eth0
ip -n sp2 address add 10.0.2.2/31 dev sp2-eth1
ip -n sp2 address add 10.0.2.4/31 dev sp2-eth2
ip netns exec sp2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec sp2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec sp2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec sp2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec sp2 sysctl -qw net/ipv4/fib_multipath_hash_policy=1
ip -n sp2 neighbour replace 10.0.2.5 lladdr 02:00:0a:00:02:05 dev sp2-eth2 nud permanent
ip -n sp2 neighbour replace 10.0.2.1 lladdr 02:00:0a:00:02:01 dev sp2-eth0 nud permanent
ip -n sp2 neighbour replace 10.0.2.3 lladdr 02:00:0a:00:02:03 dev sp2-eth1 nud permanent
mkdir -p /etc/netns/sp2/frr
cat > /etc/netns/sp2/frr/zebra.conf <<'FILE'
! sp2: zebra, which puts routes into the kernel
frr defaults datacenter
hostname sp2
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/sp2/frr
cat > /etc/netns/sp2/frr/bgpd.conf <<'FILE'
! sp2: bgpd, AS 65000
frr defaults datacenter
hostname sp2
log stdout
!
router bgp 65000
 bgp router-id 10.0.2.0
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor FABRIC peer-group
 neighbor FABRIC remote-as external
 neighbor FABRIC timers 3 9
 neighbor FABRIC timers connect 1
 neighbor FABRIC advertisement-interval 0
 neighbor 10.0.2.5 peer-group FABRIC
 neighbor 10.0.2.1 peer-group FABRIC
 neighbor 10.0.2.3 peer-group FABRIC
 !
 address-family ipv4 unicast
  network 10.0.2.0/31
  network 10.0.2.2/31
  network 10.0.2.4/31
  neighbor FABRIC activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/sp2/frr
cat > /etc/netns/sp2/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/sp2/run/frr /run/frr
ip netns exec sp2 sh -c 'mount --bind /run/testbed-plan/sp2/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/sp2/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/sp2/run/frr /run/frr
ip netns exec sp2 sh -c 'mount --bind /run/testbed-plan/sp2/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/sp2/run/frr/bgpd.vty ]; do sleep 0.05; done

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
ip -n default.web-l6lqt6p8dn-fbxw8 address add 10.244.3.2/32 dev eth0
ip -n default.web-l6lqt6p8dn-fbxw8 neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-fbxw8 route add 169.254.1.1/32 dev eth0 scope link
ip -n default.web-l6lqt6p8dn-fbxw8 route add 0.0.0.0/0 via 169.254.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt address add 10.244.4.2/32 dev eth0
ip -n default.web-l6lqt6p8dn-wzhmt neighbour replace 169.254.1.1 lladdr ee:ee:ee:ee:ee:ee dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-wzhmt route add 169.254.1.1/32 dev eth0 scope link
ip -n default.web-l6lqt6p8dn-wzhmt route add 0.0.0.0/0 via 169.254.1.1 dev eth0
