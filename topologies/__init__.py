"""The topologies: Mininet ``Topo`` classes that plain ``mn --custom`` can use, and YAML files."""
