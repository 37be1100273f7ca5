"""What a lab is where nobody says otherwise; apart, so that reading it imports nothing."""

TOPOLOGY = "single"
CNI = "vxlan"
PROXY = "iptables"
NONE = "none"
"""What proxy mode, DNS and ingress controller are called where there is to be none."""
