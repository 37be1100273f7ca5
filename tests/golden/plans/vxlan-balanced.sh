# Namespaces
ip netns add client
ip -n client link set lo up
ip netns add n1
ip -n n1 link set lo up
ip netns add n2
ip -n n2 link set lo up
ip netns add r1
ip -n r1 link set lo up
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
ip link add client-eth0 netns client type veth peer name s1-eth3
ip -n client link set client-eth0 up
ip link set s1-eth3 master s1 up
ip link add n1-eth0 netns n1 type veth peer name s1-eth2
ip -n n1 link set n1-eth0 up
ip link set s1-eth2 master s1 up
ip link add n2-eth0 netns n2 type veth peer name s2-eth2
ip -n n2 link set n2-eth0 up
ip link set s2-eth2 master s2 up
ip link add r1-eth0 netns r1 type veth peer name s1-eth1
ip -n r1 link set r1-eth0 up
ip link set s1-eth1 master s1 up
ip link add r1-eth1 netns r1 type veth peer name s2-eth1
ip -n r1 link set r1-eth1 up
ip link set s2-eth1 master s2 up

# fabric
ip link set s1-eth3 mtu 1500
ip link set s1-eth2 mtu 1500
ip link set s2-eth2 mtu 1500
ip link set s1-eth1 mtu 1500
ip link set s2-eth1 mtu 1500
sysctl -qw net/ipv6/conf/all/disable_ipv6=1
tc qdisc add dev s2-eth1 root handle 1: tbf rate 1000000000bit burst 500000 limit 6250000

# external/client
ip -n client link set client-eth0 mtu 1500 address 02:00:c0:a8:01:c8
ip -n client address add 192.168.1.200/24 broadcast + dev client-eth0
ip netns exec client sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip -n client neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev client-eth0 nud permanent
ip -n client neighbour replace 192.168.1.1 lladdr 02:00:c0:a8:01:01 dev client-eth0 nud permanent
ip -n client route add 0.0.0.0/0 via 192.168.1.1 dev client-eth0

# node/n1
ip -n n1 link set n1-eth0 mtu 1500 address 02:00:c0:a8:01:0b
ip -n n1 link add cni0 address 0a:58:0a:f4:01:01 mtu 1450 type bridge
ip -n n1 link set cni0 up
ip -n n1 link add veth319f6b4c456 mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:01:09 mtu 1450 netns default.fixed
ip -n default.fixed link set eth0 up
ip -n n1 link set veth319f6b4c456 master cni0
bridge -n n1 link set dev veth319f6b4c456 hairpin on
ip -n n1 link set veth319f6b4c456 up
ip -n n1 link add veth3aee842c7f7 mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:01:02 mtu 1450 netns default.web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 link set eth0 up
ip -n n1 link set veth3aee842c7f7 master cni0
bridge -n n1 link set dev veth3aee842c7f7 hairpin on
ip -n n1 link set veth3aee842c7f7 up
ip -n n1 link add flannel.1 address 0e:f1:c0:a8:01:0b mtu 1450 type vxlan id 1 local 192.168.1.11 dev n1-eth0 dstport 8472 nolearning
ip -n n1 link set flannel.1 up
ip -n n1 address add 192.168.1.11/24 broadcast + dev n1-eth0
ip -n n1 address add 10.244.1.1/24 broadcast + dev cni0
ip -n n1 address add 10.244.1.0/32 dev flannel.1
ip netns exec n1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n1 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n1 neighbour replace 192.168.1.200 lladdr 02:00:c0:a8:01:c8 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.1.1 lladdr 02:00:c0:a8:01:01 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 10.244.1.9 lladdr 0a:58:0a:f4:01:09 dev cni0 nud permanent
ip -n n1 neighbour replace 10.244.1.2 lladdr 0a:58:0a:f4:01:02 dev cni0 nud permanent
ip -n n1 neighbour replace 10.244.2.0 lladdr 0e:f1:c0:a8:02:0b dev flannel.1 nud permanent
bridge -n n1 fdb append 0e:f1:c0:a8:02:0b dev flannel.1 dst 192.168.2.11 self permanent
ip -n n1 route add 0.0.0.0/0 via 192.168.1.1 dev n1-eth0
ip -n n1 route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip netns exec n1 iptables-restore --noflush <<'RULES'
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
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
ip prefix-list ANNOUNCED seq 5 permit 192.0.2.0/28 ge 32
route-map ANNOUNCED permit 10
 match ip address prefix-list ANNOUNCED
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
  redistribute kernel route-map ANNOUNCED
  neighbor TOR activate
  neighbor TOR prefix-list TOR-IN in
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
ip prefix-list TOR-IN seq 5 deny any
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
ip -n n2 link set n2-eth0 mtu 1500 address 02:00:c0:a8:02:0b
ip -n n2 link add cni0 address 0a:58:0a:f4:02:01 mtu 1450 type bridge
ip -n n2 link set cni0 up
ip -n n2 link add veth29127f80132 mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:02:02 mtu 1450 netns default.web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l link set eth0 up
ip -n n2 link set veth29127f80132 master cni0
bridge -n n2 link set dev veth29127f80132 hairpin on
ip -n n2 link set veth29127f80132 up
ip -n n2 link add veth5ac563f486a mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:02:03 mtu 1450 netns default.web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt link set eth0 up
ip -n n2 link set veth5ac563f486a master cni0
bridge -n n2 link set dev veth5ac563f486a hairpin on
ip -n n2 link set veth5ac563f486a up
ip -n n2 link add flannel.1 address 0e:f1:c0:a8:02:0b mtu 1450 type vxlan id 1 local 192.168.2.11 dev n2-eth0 dstport 8472 nolearning
ip -n n2 link set flannel.1 up
ip -n n2 address add 192.168.2.11/24 broadcast + dev n2-eth0
ip -n n2 address add 10.244.2.1/24 broadcast + dev cni0
ip -n n2 address add 10.244.2.0/32 dev flannel.1
ip netns exec n2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n2 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n2 neighbour replace 192.168.2.1 lladdr 02:00:c0:a8:02:01 dev n2-eth0 nud permanent
ip -n n2 neighbour replace 10.244.2.2 lladdr 0a:58:0a:f4:02:02 dev cni0 nud permanent
ip -n n2 neighbour replace 10.244.2.3 lladdr 0a:58:0a:f4:02:03 dev cni0 nud permanent
ip -n n2 neighbour replace 10.244.1.0 lladdr 0e:f1:c0:a8:01:0b dev flannel.1 nud permanent
bridge -n n2 fdb append 0e:f1:c0:a8:01:0b dev flannel.1 dst 192.168.1.11 self permanent
ip -n n2 route add 0.0.0.0/0 via 192.168.2.1 dev n2-eth0
ip -n n2 route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip netns exec n2 iptables-restore --noflush <<'RULES'
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.2.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.2.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.2.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
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
ip prefix-list ANNOUNCED seq 5 permit 192.0.2.0/28 ge 32
route-map ANNOUNCED permit 10
 match ip address prefix-list ANNOUNCED
!
router bgp 4200000001
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
  redistribute kernel route-map ANNOUNCED
  neighbor TOR activate
  neighbor TOR prefix-list TOR-IN in
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
ip prefix-list TOR-IN seq 5 deny any
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

# router/r1
ip -n r1 link set r1-eth0 mtu 1500 address 02:00:c0:a8:01:01
ip -n r1 link set r1-eth1 mtu 1500 address 02:00:c0:a8:02:01
ip -n r1 address add 192.168.1.1/24 broadcast + dev r1-eth0
ip -n r1 address add 192.168.2.1/24 broadcast + dev r1-eth1
ip netns exec r1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec r1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec r1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec r1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec r1 sysctl -qw net/ipv4/fib_multipath_hash_policy=1
ip -n r1 neighbour replace 192.168.1.200 lladdr 02:00:c0:a8:01:c8 dev r1-eth0 nud permanent
ip -n r1 neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev r1-eth0 nud permanent
ip -n r1 neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev r1-eth1 nud permanent
tc -n r1 qdisc add dev r1-eth1 root handle 1: tbf rate 1000000000bit burst 500000 limit 6250000
mkdir -p /etc/netns/r1/frr
cat > /etc/netns/r1/frr/zebra.conf <<'FILE'
! r1: zebra, which puts routes into the kernel
frr defaults datacenter
hostname r1
log stdout
!
! A next hop may be reached through the default route (a peer in another zone).
ip nht resolve-via-default
! Routes carry their next hops themselves: with the kernel's nexthop objects FRR 8.4 does not put a
! next hop back into its group after the link was down, and the equal-cost path stays lost.
no zebra nexthop kernel enable
!
FILE
mkdir -p /etc/netns/r1/frr
cat > /etc/netns/r1/frr/bgpd.conf <<'FILE'
! r1: bgpd, AS 65000
frr defaults datacenter
hostname r1
log stdout
!
router bgp 65000
 bgp router-id 192.168.1.1
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor NODES peer-group
 neighbor NODES remote-as external
 neighbor NODES timers 3 9
 neighbor NODES timers connect 1
 neighbor NODES advertisement-interval 0
 bgp listen range 192.168.1.0/24 peer-group NODES
 bgp listen range 192.168.2.0/24 peer-group NODES
 !
 address-family ipv4 unicast
  network 192.168.1.0/24
  network 192.168.2.0/24
  neighbor NODES activate
  maximum-paths 16
  maximum-paths ibgp 16
 exit-address-family
!
FILE
mkdir -p /etc/netns/r1/frr
cat > /etc/netns/r1/frr/vtysh.conf <<'FILE'
no service integrated-vtysh-config
FILE
install -d -o frr -g frr /run/testbed-plan/r1/run/frr /run/frr
ip netns exec r1 sh -c 'mount --bind /run/testbed-plan/r1/run/frr /run/frr && exec /usr/lib/frr/zebra -f /etc/frr/zebra.conf' &
until [ -e /run/testbed-plan/r1/run/frr/zserv.api ]; do sleep 0.05; done
install -d -o frr -g frr /run/testbed-plan/r1/run/frr /run/frr
ip netns exec r1 sh -c 'mount --bind /run/testbed-plan/r1/run/frr /run/frr && exec /usr/lib/frr/bgpd -f /etc/frr/bgpd.conf -p 179' &
until [ -e /run/testbed-plan/r1/run/frr/bgpd.vty ]; do sleep 0.05; done

# pod/default/fixed
ip -n default.fixed address add 10.244.1.9/24 broadcast + dev eth0
ip -n default.fixed neighbour replace 10.244.1.1 lladdr 0a:58:0a:f4:01:01 dev eth0 nud permanent
ip -n default.fixed route add 0.0.0.0/0 via 10.244.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l address add 10.244.2.2/24 broadcast + dev eth0
ip -n default.web-l6lqt6p8dn-vkf9l neighbour replace 10.244.2.1 lladdr 0a:58:0a:f4:02:01 dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-vkf9l route add 0.0.0.0/0 via 10.244.2.1 dev eth0

# pod/default/web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 address add 10.244.1.2/24 broadcast + dev eth0
ip -n default.web-l6lqt6p8dn-fbxw8 neighbour replace 10.244.1.1 lladdr 0a:58:0a:f4:01:01 dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-fbxw8 route add 0.0.0.0/0 via 10.244.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt address add 10.244.2.3/24 broadcast + dev eth0
ip -n default.web-l6lqt6p8dn-wzhmt neighbour replace 10.244.2.1 lladdr 0a:58:0a:f4:02:01 dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-wzhmt route add 0.0.0.0/0 via 10.244.2.1 dev eth0
