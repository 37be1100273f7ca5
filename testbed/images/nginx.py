"""Starts this machine's nginx as the image ``nginx`` does: in the foreground, port 80, one page.

It runs alone inside a pod (``python3 -I -S nginx.py [OPTION]…``). The configuration is generated,
and everything that nginx writes is below a new folder in ``/run``: Debian's own configuration would
have it write to ``/var``, which pods may not. Further options go to nginx; ``-c FILE`` there takes
the place of the generated configuration. The page has the host name, so that one sees which of
several pods answered.
"""

import os
import sys
import tempfile
from pathlib import Path

CONFIGURATION = """\
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log /dev/stdout;
    default_type text/html;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 80 default_server;
        location / {{
            return 200 "<!DOCTYPE html>
<html><head><title>Welcome to nginx!</title></head>
<body><h1>Welcome to nginx!</h1><p>This is $hostname.</p></body></html>
";
        }}
    }}
}}
"""


def main(options: list[str]) -> None:
    """Becomes nginx."""
    argv = ["nginx", *options]
    if "-c" not in options:
        folder = Path(tempfile.mkdtemp(prefix="nginx-", dir="/run"))
        file = folder / "nginx.conf"
        file.write_text(CONFIGURATION.format(folder=folder))
        argv += ["-p", str(folder), "-c", str(file)]
    if "-g" not in options:
        argv += ["-g", "daemon off;"]
    os.environ["PATH"] = os.environ.get("PATH", os.defpath) + ":/usr/sbin"
    try:
        os.execvp("nginx", argv)  # noqa: S606 - to become nginx is the purpose
    except FileNotFoundError:
        sys.exit("nginx: not found; install the Debian package nginx-light")


if __name__ == "__main__":
    main(sys.argv[1:])
