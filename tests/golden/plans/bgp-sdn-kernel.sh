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
ip link add b1-eth1 type veth peer name sp1-eth3
ip link set b1-eth1 up
ip link set sp1-eth3 up
ip link add b1-eth2 type veth peer name sp2-eth3
ip link set b1-eth2 up
ip link set sp2-eth3 up
ip link add client-eth0 netns client type veth peer name b1-eth3
ip -n client link set client-eth0 up
ip link set b1-eth3 up
ip link add l1-eth1 type veth peer name sp1-eth1
ip link set l1-eth1 up
ip link set sp1-eth1 up
ip link add l1-eth2 type veth peer name sp2-eth1
ip link set l1-eth2 up
ip link set sp2-eth1 up
ip link add l2-eth1 type veth peer name sp1-eth2
ip link set l2-eth1 up
ip link set sp1-eth2 up
ip link add l2-eth2 type veth peer name sp2-eth2
ip link set l2-eth2 up
ip link set sp2-eth2 up
ip link add n1-eth0 netns n1 type veth peer name l1-eth3
ip -n n1 link set n1-eth0 up
ip link set l1-eth3 up
ip link add n2-eth0 netns n2 type veth peer name l2-eth3
ip -n n2 link set n2-eth0 up
ip link set l2-eth3 up

# fabric
ip link set b1-eth1 mtu 1500
ip link set sp1-eth3 mtu 1500
ip link set b1-eth2 mtu 1500
ip link set sp2-eth3 mtu 1500
ip link set b1-eth3 mtu 1500
ip link set l1-eth1 mtu 1500
ip link set sp1-eth1 mtu 1500
ip link set l1-eth2 mtu 1500
ip link set sp2-eth1 mtu 1500
ip link set l2-eth1 mtu 1500
ip link set sp1-eth2 mtu 1500
ip link set l2-eth2 mtu 1500
ip link set sp2-eth2 mtu 1500
ip link set l1-eth3 mtu 1500
ip link set l2-eth3 mtu 1500
sysctl -qw net/ipv6/conf/all/disable_ipv6=1
mkdir -p /run/testbed/sdn
cat > /run/testbed/sdn/fabric.json <<'FILE'
{"listen": ["127.0.0.1", 6653], "control": "/run/testbed/sdn/control.sock", "ready": "/run/testbed/sdn/ready", "switches": {
"b1": {"dpid": 1, "ports": {"b1-eth1": ["sp1", "sp1-eth3"], "b1-eth2": ["sp2", "sp2-eth3"], "b1-eth3": ["client", null]}},
"l1": {"dpid": 2, "ports": {"l1-eth1": ["sp1", "sp1-eth1"], "l1-eth2": ["sp2", "sp2-eth1"], "l1-eth3": ["n1", null]}},
"l2": {"dpid": 3, "ports": {"l2-eth1": ["sp1", "sp1-eth2"], "l2-eth2": ["sp2", "sp2-eth2"], "l2-eth3": ["n2", null]}},
"sp1": {"dpid": 4, "ports": {"sp1-eth3": ["b1", "b1-eth1"], "sp1-eth1": ["l1", "l1-eth1"], "sp1-eth2": ["l2", "l2-eth1"]}},
"sp2": {"dpid": 5, "ports": {"sp2-eth3": ["b1", "b1-eth2"], "sp2-eth1": ["l1", "l1-eth2"], "sp2-eth2": ["l2", "l2-eth2"]}}
}}
FILE
mkdir -p /run/openvswitch
ovsdb-tool create /run/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server /run/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock --no-chdir --pidfile=/run/openvswitch/ovsdb-server.pid --unixctl=/run/openvswitch/ovsdb-server.ctl --log-file=/run/openvswitch/ovsdb-server.log -vconsole:off -vsyslog:off &
until [ -e /run/openvswitch/db.sock ]; do sleep 0.05; done
mkdir -p /run/testbed/sdn
python3 -m testbed.sdn /run/testbed/sdn/fabric.json &
until [ -e /run/testbed/sdn/control.sock ]; do sleep 0.05; done
mkdir -p /run/openvswitch
ovs-vswitchd unix:/run/openvswitch/db.sock --no-chdir --pidfile=/run/openvswitch/ovs-vswitchd.pid --unixctl=/run/openvswitch/ovs-vswitchd.ctl --log-file=/run/openvswitch/ovs-vswitchd.log -vconsole:off -vsyslog:off &
until [ -e /run/openvswitch/ovs-vswitchd.ctl ]; do sleep 0.05; done
ovs-vsctl --db=unix:/run/openvswitch/db.sock --no-syslog -- --may-exist add-br b1 -- set bridge b1 datapath_type=system fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000001 other_config:disable-in-band=true -- set-controller b1 tcp:127.0.0.1:6653 -- set controller b1 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port b1 b1-eth1 -- set interface b1-eth1 ofport_request=1 -- --may-exist add-port b1 b1-eth2 -- set interface b1-eth2 ofport_request=2 -- --may-exist add-port b1 b1-eth3 -- set interface b1-eth3 ofport_request=3 -- --may-exist add-br l1 -- set bridge l1 datapath_type=system fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000002 other_config:disable-in-band=true -- set-controller l1 tcp:127.0.0.1:6653 -- set controller l1 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port l1 l1-eth1 -- set interface l1-eth1 ofport_request=1 -- --may-exist add-port l1 l1-eth2 -- set interface l1-eth2 ofport_request=2 -- --may-exist add-port l1 l1-eth3 -- set interface l1-eth3 ofport_request=3 -- --may-exist add-br l2 -- set bridge l2 datapath_type=system fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000003 other_config:disable-in-band=true -- set-controller l2 tcp:127.0.0.1:6653 -- set controller l2 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port l2 l2-eth1 -- set interface l2-eth1 ofport_request=1 -- --may-exist add-port l2 l2-eth2 -- set interface l2-eth2 ofport_request=2 -- --may-exist add-port l2 l2-eth3 -- set interface l2-eth3 ofport_request=3 -- --may-exist add-br sp1 -- set bridge sp1 datapath_type=system fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000004 other_config:disable-in-band=true -- set-controller sp1 tcp:127.0.0.1:6653 -- set controller sp1 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port sp1 sp1-eth3 -- set interface sp1-eth3 ofport_request=1 -- --may-exist add-port sp1 sp1-eth1 -- set interface sp1-eth1 ofport_request=2 -- --may-exist add-port sp1 sp1-eth2 -- set interface sp1-eth2 ofport_request=3 -- --may-exist add-br sp2 -- set bridge sp2 datapath_type=system fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000005 other_config:disable-in-band=true -- set-controller sp2 tcp:127.0.0.1:6653 -- set controller sp2 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port sp2 sp2-eth3 -- set interface sp2-eth3 ofport_request=1 -- --may-exist add-port sp2 sp2-eth1 -- set interface sp2-eth1 ofport_request=2 -- --may-exist add-port sp2 sp2-eth2 -- set interface sp2-eth2 ofport_request=3

# external/client
ip -n client link set client-eth0 mtu 1500 address 02:00:c0:a8:64:c8
ip -n client address add 192.168.100.200/16 broadcast + dev client-eth0
ip netns exec client sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip -n client neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev client-eth0 nud permanent
ip -n client neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev client-eth0 nud permanent
ip -n client route add 198.51.100.0/24 dev client-eth0 scope link

# node/n1
ip -n n1 link set n1-eth0 mtu 1500 address 02:00:c0:a8:01:0b
ip -n n1 link add cali319f6b4c456 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:01:09 mtu 1500 netns default.fixed
ip -n default.fixed link set eth0 up
ip -n n1 link set cali319f6b4c456 up
ip -n n1 link add cali3aee842c7f7 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:01:02 mtu 1500 netns default.web-l6lqt6p8dn-fbxw8
ip -n default.web-l6lqt6p8dn-fbxw8 link set eth0 up
ip -n n1 link set cali3aee842c7f7 up
ip -n n1 address add 192.168.1.11/16 broadcast + dev n1-eth0
ip netns exec n1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/cali319f6b4c456/proxy_arp=1
ip netns exec n1 sysctl -qw net/ipv4/neigh/cali319f6b4c456/proxy_delay=0
ip netns exec n1 sysctl -qw net/ipv4/conf/cali3aee842c7f7/proxy_arp=1
ip netns exec n1 sysctl -qw net/ipv4/neigh/cali3aee842c7f7/proxy_delay=0
ip -n n1 neighbour replace 192.168.100.200 lladdr 02:00:c0:a8:64:c8 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev n1-eth0 nud permanent
ip -n n1 neighbour replace 10.244.1.9 lladdr 0a:58:0a:f4:01:09 dev cali319f6b4c456 nud permanent
ip -n n1 neighbour replace 10.244.1.2 lladdr 0a:58:0a:f4:01:02 dev cali3aee842c7f7 nud permanent
ip -n n1 route add 0.0.0.0/0 dev n1-eth0 scope link
ip -n n1 route add blackhole 10.244.1.0/24 proto 4
ip -n n1 route add 10.244.1.9/32 dev cali319f6b4c456 scope link
ip -n n1 route add 10.244.1.2/32 dev cali3aee842c7f7 scope link
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
 bgp router-id 192.168.1.11
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor MESH peer-group
 neighbor MESH remote-as internal
 neighbor MESH timers 60 180
 neighbor MESH timers connect 1
 neighbor MESH advertisement-interval 0
 neighbor 192.168.2.11 peer-group MESH
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
ip -n n2 link set n2-eth0 mtu 1500 address 02:00:c0:a8:02:0b
ip -n n2 link add cali29127f80132 address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:02:02 mtu 1500 netns default.web-l6lqt6p8dn-vkf9l
ip -n default.web-l6lqt6p8dn-vkf9l link set eth0 up
ip -n n2 link set cali29127f80132 up
ip -n n2 link add cali5ac563f486a address ee:ee:ee:ee:ee:ee mtu 1500 type veth peer name eth0 address 0a:58:0a:f4:02:03 mtu 1500 netns default.web-l6lqt6p8dn-wzhmt
ip -n default.web-l6lqt6p8dn-wzhmt link set eth0 up
ip -n n2 link set cali5ac563f486a up
ip -n n2 address add 192.168.2.11/16 broadcast + dev n2-eth0
ip netns exec n2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/cali29127f80132/proxy_arp=1
ip netns exec n2 sysctl -qw net/ipv4/neigh/cali29127f80132/proxy_delay=0
ip netns exec n2 sysctl -qw net/ipv4/conf/cali5ac563f486a/proxy_arp=1
ip netns exec n2 sysctl -qw net/ipv4/neigh/cali5ac563f486a/proxy_delay=0
ip -n n2 neighbour replace 192.168.100.200 lladdr 02:00:c0:a8:64:c8 dev n2-eth0 nud permanent
ip -n n2 neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev n2-eth0 nud permanent
ip -n n2 neighbour replace 10.244.2.2 lladdr 0a:58:0a:f4:02:02 dev cali29127f80132 nud permanent
ip -n n2 neighbour replace 10.244.2.3 lladdr 0a:58:0a:f4:02:03 dev cali5ac563f486a nud permanent
ip -n n2 route add 0.0.0.0/0 dev n2-eth0 scope link
ip -n n2 route add blackhole 10.244.2.0/24 proto 4
ip -n n2 route add 10.244.2.2/32 dev cali29127f80132 scope link
ip -n n2 route add 10.244.2.3/32 dev cali5ac563f486a scope link
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
 bgp router-id 192.168.2.11
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp bestpath as-path multipath-relax
 coalesce-time 50
 neighbor MESH peer-group
 neighbor MESH remote-as internal
 neighbor MESH timers 60 180
 neighbor MESH timers connect 1
 neighbor MESH advertisement-interval 0
 neighbor 192.168.1.11 peer-group MESH
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
