"""``python -m testbed.sdn CONFIG.json``: runs the controller until it is killed.

CONFIG.json is of the form that :mod:`testbed.sdn.config` has. When every switch is connected and
programmed for the first time, the file ``ready`` is made. Nothing has to be cleaned up.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path


def main() -> None:
    """Reads the configuration and hands it to os-ken."""
    settings = json.loads(Path(sys.argv[1]).read_text())
    os.environ.setdefault("OSKEN_HUB_TYPE", "native")  # threads; read when os-ken is imported
    from os_ken import cfg
    from os_ken.base.app_manager import AppManager

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    Path(settings["ready"]).unlink(missing_ok=True)
    AppManager.get_instance().load_apps(["testbed.sdn.app"])
    cfg.CONF(args=[], project="testbed-sdn", default_config_files=[])
    host, port = settings["listen"]
    cfg.CONF.set_override("ofp_listen_host", host)
    cfg.CONF.set_override("ofp_tcp_listen_port", port)
    cfg.CONF.set_override("fabric", sys.argv[1])
    AppManager.run_apps([])
    os._exit(1)  # its threads would keep the process; it returns only when it cannot listen


if __name__ == "__main__":
    main()
