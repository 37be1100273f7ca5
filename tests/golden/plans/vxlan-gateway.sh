# Namespaces
ip netns add client
ip -n client link set lo up
ip netns add n1
ip -n n1 link set lo up
ip netns add n2
ip -n n2 link set lo up
ip netns add n3
ip -n n3 link set lo up
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
ip link add client-eth0 netns client type veth peer name s1-eth4
ip -n client link set client-eth0 up
ip link set s1-eth4 master s1 up
ip link add n1-eth0 netns n1 type veth peer name s1-eth1
ip -n n1 link set n1-eth0 up
ip link set s1-eth1 master s1 up
ip link add n2-eth0 netns n2 type veth peer name s1-eth2
ip -n n2 link set n2-eth0 up
ip link set s1-eth2 master s1 up
ip link add n3-eth0 netns n3 type veth peer name s1-eth3
ip -n n3 link set n3-eth0 up
ip link set s1-eth3 master s1 up

# fabric
ip link set s1-eth4 mtu 1500
ip link set s1-eth1 mtu 1500
ip link set s1-eth2 mtu 1500
ip link set s1-eth3 mtu 1500
sysctl -qw net/ipv6/conf/all/disable_ipv6=1

# external/client
ip -n client link set client-eth0 mtu 1500 address 02:00:c0:a8:00:c8
ip -n client address add 192.168.0.200/24 broadcast + dev client-eth0
ip netns exec client sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip -n client neighbour replace 192.168.0.11 lladdr 02:00:c0:a8:00:0b dev client-eth0 nud permanent
ip -n client neighbour replace 192.168.0.12 lladdr 02:00:c0:a8:00:0c dev client-eth0 nud permanent
ip -n client neighbour replace 192.168.0.13 lladdr 02:00:c0:a8:00:0d dev client-eth0 nud permanent
ip -n client route add 198.51.100.0/24 dev client-eth0 scope link

# node/n1
ip -n n1 link set n1-eth0 mtu 1500 address 02:00:c0:a8:00:0b
ip -n n1 link add cni0 address 0a:58:0a:f4:01:01 mtu 1450 type bridge
ip -n n1 link set cni0 up
ip -n n1 link add veth319f6b4c456 mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:01:09 mtu 1450 netns default.fixed
ip -n default.fixed link set eth0 up
ip -n n1 link set veth319f6b4c456 master cni0
bridge -n n1 link set dev veth319f6b4c456 hairpin on
ip -n n1 link set veth319f6b4c456 up
ip -n n1 link add veth5ac563f486a mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:01:02 mtu 1450 netns default.web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt link set eth0 up
ip -n n1 link set veth5ac563f486a master cni0
bridge -n n1 link set dev veth5ac563f486a hairpin on
ip -n n1 link set veth5ac563f486a up
ip -n n1 link add flannel.1 address 0e:f1:c0:a8:00:0b mtu 1450 type vxlan id 1 local 192.168.0.11 dev n1-eth0 dstport 8472 nolearning
ip -n n1 link set flannel.1 up
ip -n n1 link add egress address 0e:e9:c0:a8:00:0b mtu 1450 type vxlan id 2 local 192.168.0.11 dev n1-eth0 dstport 8473 nolearning
ip -n n1 link set egress up
ip -n n1 address add 192.168.0.11/24 broadcast + dev n1-eth0
ip -n n1 address add 10.244.1.1/24 broadcast + dev cni0
ip -n n1 address add 10.244.1.0/32 dev flannel.1
ip netns exec n1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n1 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n1 neighbour replace 192.168.0.200 lladdr 02:00:c0:a8:00:c8 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.0.12 lladdr 02:00:c0:a8:00:0c dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.0.13 lladdr 02:00:c0:a8:00:0d dev n1-eth0 nud permanent
ip -n n1 neighbour replace 10.244.1.9 lladdr 0a:58:0a:f4:01:09 dev cni0 nud permanent
ip -n n1 neighbour replace 10.244.1.2 lladdr 0a:58:0a:f4:01:02 dev cni0 nud permanent
ip -n n1 neighbour replace 10.244.2.0 lladdr 0e:f1:c0:a8:00:0c dev flannel.1 nud permanent
ip -n n1 neighbour replace 10.244.3.0 lladdr 0e:f1:c0:a8:00:0d dev flannel.1 nud permanent
ip -n n1 neighbour replace 192.168.0.12 lladdr 0e:e9:c0:a8:00:0c dev egress nud permanent
ip -n n1 neighbour replace 192.168.0.13 lladdr 0e:e9:c0:a8:00:0d dev egress nud permanent
bridge -n n1 fdb append 0e:f1:c0:a8:00:0c dev flannel.1 dst 192.168.0.12 self permanent
bridge -n n1 fdb append 0e:f1:c0:a8:00:0d dev flannel.1 dst 192.168.0.13 self permanent
bridge -n n1 fdb append 0e:e9:c0:a8:00:0c dev egress dst 192.168.0.12 self permanent
bridge -n n1 fdb append 0e:e9:c0:a8:00:0d dev egress dst 192.168.0.13 self permanent
ip -n n1 route add 0.0.0.0/0 dev n1-eth0 scope link
ip -n n1 route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip -n n1 route add 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink
ip -n n1 route add blackhole 0.0.0.0/0 table 2000 metric 4294967295
ip -n n1 route add 0.0.0.0/0 via 192.168.0.12 dev egress onlink table 2000
ip -n n1 rule add priority 2000 to 0.0.0.0/0 fwmark 0x2000/0x2000 lookup main
ip -n n1 rule add priority 2000 to 10.244.0.0/16 lookup main
ip -n n1 rule add priority 2000 to 10.96.0.0/12 lookup main
ip -n n1 rule add priority 2000 to 192.168.0.11/32 lookup main
ip -n n1 rule add priority 2000 to 192.168.0.12/32 lookup main
ip -n n1 rule add priority 2000 to 192.168.0.13/32 lookup main
ip -n n1 rule add priority 2009 from 10.244.1.2/32 to 192.168.0.0/24 lookup 2000
ip -n n1 rule add priority 2025 from 10.244.1.2/32 to 10.0.0.0/8 lookup main
ip -n n1 rule add priority 2033 from 10.244.1.2/32 to 0.0.0.0/0 lookup 2000
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
ip netns exec n1 iptables-restore --noflush <<'RULES'
*nat
:EGRESS-GATEWAY - [0:0]
-I POSTROUTING 1 -m comment --comment "egress gateway" -j EGRESS-GATEWAY
COMMIT
*mangle
-I PREROUTING 1 -m comment --comment "egress gateway: answers" -m conntrack --ctdir REPLY -j MARK --set-xmark 0x2000/0x2000
COMMIT
RULES
ip netns exec n1 iptables-restore --noflush <<'RULES'
*nat
:EGRESS-GATEWAY - [0:0]
-A EGRESS-GATEWAY -o egress -j ACCEPT
COMMIT
RULES

# node/n2
ip -n n2 link set n2-eth0 mtu 1500 address 02:00:c0:a8:00:0c
ip -n n2 link add cni0 address 0a:58:0a:f4:02:01 mtu 1450 type bridge
ip -n n2 link set cni0 up
ip -n n2 link add veth29127f80132 mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:02:02 mtu 1450 netns default.web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l link set eth0 up
ip -n n2 link set veth29127f80132 master cni0
bridge -n n2 link set dev veth29127f80132 hairpin on
ip -n n2 link set veth29127f80132 up
ip -n n2 link add flannel.1 address 0e:f1:c0:a8:00:0c mtu 1450 type vxlan id 1 local 192.168.0.12 dev n2-eth0 dstport 8472 nolearning
ip -n n2 link set flannel.1 up
ip -n n2 link add egress address 0e:e9:c0:a8:00:0c mtu 1450 type vxlan id 2 local 192.168.0.12 dev n2-eth0 dstport 8473 nolearning
ip -n n2 link set egress up
ip -n n2 address add 192.168.0.12/24 broadcast + dev n2-eth0
ip -n n2 address add 10.244.2.1/24 broadcast + dev cni0
ip -n n2 address add 10.244.2.0/32 dev flannel.1
ip -n n2 address add 192.168.0.50/32 dev n2-eth0
ip netns exec n2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n2 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n2 neighbour replace 192.168.0.200 lladdr 02:00:c0:a8:00:c8 dev n2-eth0 nud permanent
ip -n n2 neighbour replace 192.168.0.11 lladdr 02:00:c0:a8:00:0b dev n2-eth0 nud permanent
ip -n n2 neighbour replace 192.168.0.13 lladdr 02:00:c0:a8:00:0d dev n2-eth0 nud permanent
ip -n n2 neighbour replace 10.244.2.2 lladdr 0a:58:0a:f4:02:02 dev cni0 nud permanent
ip -n n2 neighbour replace 10.244.1.0 lladdr 0e:f1:c0:a8:00:0b dev flannel.1 nud permanent
ip -n n2 neighbour replace 10.244.3.0 lladdr 0e:f1:c0:a8:00:0d dev flannel.1 nud permanent
ip -n n2 neighbour replace 192.168.0.11 lladdr 0e:e9:c0:a8:00:0b dev egress nud permanent
ip -n n2 neighbour replace 192.168.0.13 lladdr 0e:e9:c0:a8:00:0d dev egress nud permanent
bridge -n n2 fdb append 0e:f1:c0:a8:00:0b dev flannel.1 dst 192.168.0.11 self permanent
bridge -n n2 fdb append 0e:f1:c0:a8:00:0d dev flannel.1 dst 192.168.0.13 self permanent
bridge -n n2 fdb append 0e:e9:c0:a8:00:0b dev egress dst 192.168.0.11 self permanent
bridge -n n2 fdb append 0e:e9:c0:a8:00:0d dev egress dst 192.168.0.13 self permanent
ip -n n2 route add 0.0.0.0/0 dev n2-eth0 scope link
ip -n n2 route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n n2 route add 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink
ip -n n2 rule add priority 2000 to 0.0.0.0/0 fwmark 0x2000/0x2000 lookup main
ip -n n2 rule add priority 2000 to 10.244.0.0/16 lookup main
ip -n n2 rule add priority 2000 to 10.96.0.0/12 lookup main
ip -n n2 rule add priority 2000 to 192.168.0.11/32 lookup main
ip -n n2 rule add priority 2000 to 192.168.0.12/32 lookup main
ip -n n2 rule add priority 2000 to 192.168.0.13/32 lookup main
ip -n n2 rule add priority 2009 from 10.244.2.2/32 to 192.168.0.0/24 lookup main
ip -n n2 rule add priority 2025 from 10.244.2.2/32 to 10.0.0.0/8 lookup main
ip -n n2 rule add priority 2033 from 10.244.2.2/32 to 0.0.0.0/0 lookup main
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
ip netns exec n2 iptables-restore --noflush <<'RULES'
*nat
:EGRESS-GATEWAY - [0:0]
-I POSTROUTING 1 -m comment --comment "egress gateway" -j EGRESS-GATEWAY
COMMIT
*mangle
-I PREROUTING 1 -m comment --comment "egress gateway: answers" -m conntrack --ctdir REPLY -j MARK --set-xmark 0x2000/0x2000
COMMIT
RULES
ip netns exec n2 iptables-restore --noflush <<'RULES'
*nat
:EGRESS-GATEWAY - [0:0]
-A EGRESS-GATEWAY -o egress -j ACCEPT
-A EGRESS-GATEWAY -d 10.244.0.0/16 -j RETURN
-A EGRESS-GATEWAY -d 10.96.0.0/12 -j RETURN
-A EGRESS-GATEWAY -d 192.168.0.11/32 -j RETURN
-A EGRESS-GATEWAY -d 192.168.0.12/32 -j RETURN
-A EGRESS-GATEWAY -d 192.168.0.13/32 -j RETURN
-A EGRESS-GATEWAY -s 10.244.2.2/32 -d 192.168.0.0/24 -j SNAT --to-source 192.168.0.50
-A EGRESS-GATEWAY -s 10.244.2.2/32 -d 10.0.0.0/8 -j RETURN
-A EGRESS-GATEWAY -s 10.244.2.2/32 -d 0.0.0.0/0 -j SNAT --to-source 192.168.0.50
-A EGRESS-GATEWAY -s 10.244.3.2/32 -d 192.168.0.0/24 -j SNAT --to-source 192.168.0.50
-A EGRESS-GATEWAY -s 10.244.3.2/32 -d 10.0.0.0/8 -j RETURN
-A EGRESS-GATEWAY -s 10.244.3.2/32 -d 0.0.0.0/0 -j SNAT --to-source 192.168.0.50
-A EGRESS-GATEWAY -s 10.244.1.2/32 -d 192.168.0.0/24 -j SNAT --to-source 192.168.0.50
-A EGRESS-GATEWAY -s 10.244.1.2/32 -d 10.0.0.0/8 -j RETURN
-A EGRESS-GATEWAY -s 10.244.1.2/32 -d 0.0.0.0/0 -j SNAT --to-source 192.168.0.50
COMMIT
RULES

# node/n3
ip -n n3 link set n3-eth0 mtu 1500 address 02:00:c0:a8:00:0d
ip -n n3 link add cni0 address 0a:58:0a:f4:03:01 mtu 1450 type bridge
ip -n n3 link set cni0 up
ip -n n3 link add veth3aee842c7f7 mtu 1450 type veth peer name eth0 address 0a:58:0a:f4:03:02 mtu 1450 netns default.web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 link set eth0 up
ip -n n3 link set veth3aee842c7f7 master cni0
bridge -n n3 link set dev veth3aee842c7f7 hairpin on
ip -n n3 link set veth3aee842c7f7 up
ip -n n3 link add flannel.1 address 0e:f1:c0:a8:00:0d mtu 1450 type vxlan id 1 local 192.168.0.13 dev n3-eth0 dstport 8472 nolearning
ip -n n3 link set flannel.1 up
ip -n n3 link add egress address 0e:e9:c0:a8:00:0d mtu 1450 type vxlan id 2 local 192.168.0.13 dev n3-eth0 dstport 8473 nolearning
ip -n n3 link set egress up
ip -n n3 address add 192.168.0.13/24 broadcast + dev n3-eth0
ip -n n3 address add 10.244.3.1/24 broadcast + dev cni0
ip -n n3 address add 10.244.3.0/32 dev flannel.1
ip netns exec n3 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n3 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n3 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n3 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n3 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n3 neighbour replace 192.168.0.200 lladdr 02:00:c0:a8:00:c8 dev n3-eth0 nud permanent
ip -n n3 neighbour replace 192.168.0.11 lladdr 02:00:c0:a8:00:0b dev n3-eth0 nud permanent
ip -n n3 neighbour replace 192.168.0.12 lladdr 02:00:c0:a8:00:0c dev n3-eth0 nud permanent
ip -n n3 neighbour replace 10.244.3.2 lladdr 0a:58:0a:f4:03:02 dev cni0 nud permanent
ip -n n3 neighbour replace 10.244.1.0 lladdr 0e:f1:c0:a8:00:0b dev flannel.1 nud permanent
ip -n n3 neighbour replace 10.244.2.0 lladdr 0e:f1:c0:a8:00:0c dev flannel.1 nud permanent
ip -n n3 neighbour replace 192.168.0.11 lladdr 0e:e9:c0:a8:00:0b dev egress nud permanent
ip -n n3 neighbour replace 192.168.0.12 lladdr 0e:e9:c0:a8:00:0c dev egress nud permanent
bridge -n n3 fdb append 0e:f1:c0:a8:00:0b dev flannel.1 dst 192.168.0.11 self permanent
bridge -n n3 fdb append 0e:f1:c0:a8:00:0c dev flannel.1 dst 192.168.0.12 self permanent
bridge -n n3 fdb append 0e:e9:c0:a8:00:0b dev egress dst 192.168.0.11 self permanent
bridge -n n3 fdb append 0e:e9:c0:a8:00:0c dev egress dst 192.168.0.12 self permanent
ip -n n3 route add 0.0.0.0/0 dev n3-eth0 scope link
ip -n n3 route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
ip -n n3 route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip -n n3 route add blackhole 0.0.0.0/0 table 2000 metric 4294967295
ip -n n3 route add 0.0.0.0/0 via 192.168.0.12 dev egress onlink table 2000
ip -n n3 rule add priority 2000 to 0.0.0.0/0 fwmark 0x2000/0x2000 lookup main
ip -n n3 rule add priority 2000 to 10.244.0.0/16 lookup main
ip -n n3 rule add priority 2000 to 10.96.0.0/12 lookup main
ip -n n3 rule add priority 2000 to 192.168.0.11/32 lookup main
ip -n n3 rule add priority 2000 to 192.168.0.12/32 lookup main
ip -n n3 rule add priority 2000 to 192.168.0.13/32 lookup main
ip -n n3 rule add priority 2009 from 10.244.3.2/32 to 192.168.0.0/24 lookup 2000
ip -n n3 rule add priority 2025 from 10.244.3.2/32 to 10.0.0.0/8 lookup main
ip -n n3 rule add priority 2033 from 10.244.3.2/32 to 0.0.0.0/0 lookup 2000
ip netns exec n3 iptables-restore --noflush <<'RULES'
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.3.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.3.0/24 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.3.0/24 -m comment --comment "flanneld masq" -j RETURN
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
ip netns exec n3 iptables-restore --noflush <<'RULES'
*nat
:EGRESS-GATEWAY - [0:0]
-I POSTROUTING 1 -m comment --comment "egress gateway" -j EGRESS-GATEWAY
COMMIT
*mangle
-I PREROUTING 1 -m comment --comment "egress gateway: answers" -m conntrack --ctdir REPLY -j MARK --set-xmark 0x2000/0x2000
COMMIT
RULES
ip netns exec n3 iptables-restore --noflush <<'RULES'
*nat
:EGRESS-GATEWAY - [0:0]
-A EGRESS-GATEWAY -o egress -j ACCEPT
COMMIT
RULES

# pod/default/fixed
ip -n default.fixed address add 10.244.1.9/24 broadcast + dev eth0
ip -n default.fixed neighbour replace 10.244.1.1 lladdr 0a:58:0a:f4:01:01 dev eth0 nud permanent
ip -n default.fixed route add 0.0.0.0/0 via 10.244.1.1 dev eth0

# pod/default/web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l address add 10.244.2.2/24 broadcast + dev eth0
ip -n default.web-l6lqt6p8dn-vkf9l neighbour replace 10.244.2.1 lladdr 0a:58:0a:f4:02:01 dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-vkf9l route add 0.0.0.0/0 via 10.244.2.1 dev eth0

# pod/default/web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 address add 10.244.3.2/24 broadcast + dev eth0
ip -n default.web-l6lqt6p8dn-fbxw8 neighbour replace 10.244.3.1 lladdr 0a:58:0a:f4:03:01 dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-fbxw8 route add 0.0.0.0/0 via 10.244.3.1 dev eth0

# pod/default/web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt address add 10.244.1.2/24 broadcast + dev eth0
ip -n default.web-l6lqt6p8dn-wzhmt neighbour replace 10.244.1.1 lladdr 0a:58:0a:f4:01:01 dev eth0 nud permanent
ip -n default.web-l6lqt6p8dn-wzhmt route add 0.0.0.0/0 via 10.244.1.1 dev eth0
