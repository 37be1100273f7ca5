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
ip link add client-eth0 netns client type veth peer name b1-eth2
ip -n client link set client-eth0 up
ip link set b1-eth2 up
ip link add l1-eth1 type veth peer name sp1-eth1
ip link set l1-eth1 up
ip link set sp1-eth1 up
ip link add l2-eth1 type veth peer name sp1-eth2
ip link set l2-eth1 up
ip link set sp1-eth2 up
ip link add n1-eth0 netns n1 type veth peer name l1-eth2
ip -n n1 link set n1-eth0 up
ip link set l1-eth2 up
ip link add n2-eth0 netns n2 type veth peer name l2-eth2
ip -n n2 link set n2-eth0 up
ip link set l2-eth2 up

# fabric
ip link set b1-eth1 mtu 1500
ip link set sp1-eth3 mtu 1500
ip link set b1-eth2 mtu 1500
ip link set l1-eth1 mtu 1500
ip link set sp1-eth1 mtu 1500
ip link set l2-eth1 mtu 1500
ip link set sp1-eth2 mtu 1500
ip link set l1-eth2 mtu 1500
ip link set l2-eth2 mtu 1500
sysctl -qw net/ipv6/conf/all/disable_ipv6=1
mkdir -p /run/testbed/sdn
cat > /run/testbed/sdn/fabric.json <<'FILE'
{"listen": ["127.0.0.1", 6653], "control": "/run/testbed/sdn/control.sock", "ready": "/run/testbed/sdn/ready", "switches": {
"b1": {"dpid": 1, "ports": {"b1-eth1": ["sp1", "sp1-eth3"], "b1-eth2": ["client", null]}},
"l1": {"dpid": 2, "ports": {"l1-eth1": ["sp1", "sp1-eth1"], "l1-eth2": ["n1", null]}},
"l2": {"dpid": 3, "ports": {"l2-eth1": ["sp1", "sp1-eth2"], "l2-eth2": ["n2", null]}},
"sp1": {"dpid": 4, "ports": {"sp1-eth3": ["b1", "b1-eth1"], "sp1-eth1": ["l1", "l1-eth1"], "sp1-eth2": ["l2", "l2-eth1"]}}
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
ovs-vsctl --db=unix:/run/openvswitch/db.sock --no-syslog -- --may-exist add-br b1 -- set bridge b1 datapath_type=netdev fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000001 other_config:disable-in-band=true -- set-controller b1 tcp:127.0.0.1:6653 -- set controller b1 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port b1 b1-eth1 -- set interface b1-eth1 ofport_request=1 -- --may-exist add-port b1 b1-eth2 -- set interface b1-eth2 ofport_request=2 -- --may-exist add-br l1 -- set bridge l1 datapath_type=netdev fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000002 other_config:disable-in-band=true -- set-controller l1 tcp:127.0.0.1:6653 -- set controller l1 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port l1 l1-eth1 -- set interface l1-eth1 ofport_request=1 -- --may-exist add-port l1 l1-eth2 -- set interface l1-eth2 ofport_request=2 -- --may-exist add-br l2 -- set bridge l2 datapath_type=netdev fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000003 other_config:disable-in-band=true -- set-controller l2 tcp:127.0.0.1:6653 -- set controller l2 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port l2 l2-eth1 -- set interface l2-eth1 ofport_request=1 -- --may-exist add-port l2 l2-eth2 -- set interface l2-eth2 ofport_request=2 -- --may-exist add-br sp1 -- set bridge sp1 datapath_type=netdev fail_mode=secure mcast_snooping_enable=false protocols=OpenFlow10,OpenFlow13,OpenFlow15 other_config:datapath-id=0000000000000004 other_config:disable-in-band=true -- set-controller sp1 tcp:127.0.0.1:6653 -- set controller sp1 connection_mode=out-of-band inactivity_probe=5000 max_backoff=1000 controller_rate_limit=1000 controller_burst_limit=250 -- --may-exist add-port sp1 sp1-eth3 -- set interface sp1-eth3 ofport_request=1 -- --may-exist add-port sp1 sp1-eth1 -- set interface sp1-eth1 ofport_request=2 -- --may-exist add-port sp1 sp1-eth2 -- set interface sp1-eth2 ofport_request=3

# external/client
ip -n client link set client-eth0 mtu 1500 address 02:00:c0:a8:64:c8
ip netns exec client ethtool -K client-eth0 tx off
ip -n client address add 192.168.100.200/16 broadcast + dev client-eth0
ip netns exec client sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip -n client neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev client-eth0 nud permanent
ip -n client neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev client-eth0 nud permanent
ip -n client route add 198.51.100.0/24 dev client-eth0 scope link

# node/n1
ip -n n1 link set n1-eth0 mtu 1500 address 02:00:c0:a8:01:0b
ip netns exec n1 ethtool -K n1-eth0 tx off
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
ip -n n1 address add 192.168.1.11/16 broadcast + dev n1-eth0
ip -n n1 address add 10.244.1.1/24 broadcast + dev cni0
ip -n n1 address add 10.244.1.0/32 dev flannel.1
ip netns exec n1 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n1 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n1 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n1 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n1 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n1 neighbour replace 192.168.100.200 lladdr 02:00:c0:a8:64:c8 dev n1-eth0 nud permanent
ip -n n1 neighbour replace 192.168.2.11 lladdr 02:00:c0:a8:02:0b dev n1-eth0 nud permanent
ip -n n1 neighbour replace 10.244.1.9 lladdr 0a:58:0a:f4:01:09 dev cni0 nud permanent
ip -n n1 neighbour replace 10.244.1.2 lladdr 0a:58:0a:f4:01:02 dev cni0 nud permanent
ip -n n1 neighbour replace 10.244.2.0 lladdr 0e:f1:c0:a8:02:0b dev flannel.1 nud permanent
bridge -n n1 fdb append 0e:f1:c0:a8:02:0b dev flannel.1 dst 192.168.2.11 self permanent
ip -n n1 route add 0.0.0.0/0 dev n1-eth0 scope link
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

# node/n2
ip -n n2 link set n2-eth0 mtu 1500 address 02:00:c0:a8:02:0b
ip netns exec n2 ethtool -K n2-eth0 tx off
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
ip -n n2 address add 192.168.2.11/16 broadcast + dev n2-eth0
ip -n n2 address add 10.244.2.1/24 broadcast + dev cni0
ip -n n2 address add 10.244.2.0/32 dev flannel.1
ip netns exec n2 sysctl -qw net/ipv6/conf/all/disable_ipv6=1
ip netns exec n2 sysctl -qw net/ipv4/ip_forward=1
ip netns exec n2 sysctl -qw net/ipv4/conf/all/rp_filter=0
ip netns exec n2 sysctl -qw net/ipv4/conf/default/rp_filter=0
ip netns exec n2 sysctl -qw net/bridge/bridge-nf-call-iptables=1
ip -n n2 neighbour replace 192.168.100.200 lladdr 02:00:c0:a8:64:c8 dev n2-eth0 nud permanent
ip -n n2 neighbour replace 192.168.1.11 lladdr 02:00:c0:a8:01:0b dev n2-eth0 nud permanent
ip -n n2 neighbour replace 10.244.2.2 lladdr 0a:58:0a:f4:02:02 dev cni0 nud permanent
ip -n n2 neighbour replace 10.244.2.3 lladdr 0a:58:0a:f4:02:03 dev cni0 nud permanent
ip -n n2 neighbour replace 10.244.1.0 lladdr 0e:f1:c0:a8:01:0b dev flannel.1 nud permanent
bridge -n n2 fdb append 0e:f1:c0:a8:01:0b dev flannel.1 dst 192.168.1.11 self permanent
ip -n n2 route add 0.0.0.0/0 dev n2-eth0 scope link
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
