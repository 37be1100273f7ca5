"""Finds the subcommand; a file of its own so that the rest is compiled only once."""

import sys
from importlib import import_module

if not __package__:  # run by path: this package's root is four levels up
    sys.path.insert(0, __file__.rsplit("/", 4)[0])

MODULES = {
    "netexec": "netexec",
    "serve-hostname": "servehostname",
    "connect": "connect",
    "grpc-health-checking": "grpchealth",
    "porter": "porter",
    "pause": "pause",
}


def main() -> None:
    """Runs the subcommand that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in MODULES:
        known = ", ".join(MODULES)
        sys.exit(f'Error: unknown command {name!r} for "agnhost"; there are {known}')
    import_module(f"testbed.images.agnhost.{MODULES[name]}").main(sys.argv[2:])


if __name__ == "__main__":
    main()
