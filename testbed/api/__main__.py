"""``python -m testbed.api DESCRIPTOR``: the API's process, started by the lab daemon."""

import sys

from testbed.api.feed import main

if __name__ == "__main__":
    main(int(sys.argv[1]))
