"""What a lab is where nobody says otherwise; apart, so that reading it imports nothing."""

TOPOLOGY = "single"
CNI = "vxlan"
PROXY = "iptables"
