"""From a cluster to what must exist in each network namespace; pure.

``build`` asks the underlay and the CNI mode, ``diff`` finds the smallest change, ``shell`` prints
a plan as the commands that a person would type.
"""
