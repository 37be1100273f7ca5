"""The release of Kubernetes whose API and semantics a lab has."""

from __future__ import annotations

KUBERNETES = (1, 34)
"""Major and minor version."""

GIT_VERSION = f"v{KUBERNETES[0]}.{KUBERNETES[1]}.0+testbed"
"""What ``kubectl version`` prints, and nodes say that they run."""
