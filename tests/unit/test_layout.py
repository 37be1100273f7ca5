"""The architecture: who may import whom, and what must not be written anywhere.

Read from the source, nothing is imported. An import inside a function counts as well as one at the
top; one under ``TYPE_CHECKING`` is for the type checker alone and makes no cycle.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("testbed", "cni_modes", "scenarios", "topologies")
PURE = (
    *(
        f"testbed.api.{path.stem}"
        for path in (ROOT / "testbed/api").glob("[a-z]*.py")
        if path.stem not in ("feed", "guard", "peers", "server")
    ),
    "testbed.cluster",
    "testbed.dns",
    "testbed.errors",
    "testbed.images.catalogue",
    "testbed.ingress",
    "testbed.kubelet.readiness",
    "testbed.objects",
    "testbed.plan",
    "testbed.proxy",
    "testbed.registry",
    "testbed.sdn.config",
    "testbed.sdn.core",
    "testbed.sdn.graph",
    "testbed.sdn.openvswitch",
    "testbed.sdn.rules",
    "testbed.spec",
    "testbed.topology",
    "cni_modes",
    "topologies",
)
"""Left of the lab: no root, no kernel, no clock, no subprocess."""
IMPURE = (
    "asyncio",
    "ctypes",
    "pyroute2",
    "socket",
    "subprocess",
    "testbed.analysis",
    "testbed.cli",
    "testbed.doctor",
    "testbed.kernel",
    "testbed.kubelet",
    "testbed.lab",
    "testbed.measure",
    "time",
)
MODES = [path.stem.replace("_", "-") for path in (ROOT / "cni_modes").glob("[a-z]*.py")]
ALSO_KERNEL_WORDS = {"vxlan", "bgp"}  # a kind of link, and a protocol, too


@cache
def modules() -> dict[str, ast.Module]:
    """Module name → its source, parsed."""
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text(), str(path)
        )
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def walk(tree: ast.AST, types_too: bool) -> Iterator[ast.AST]:
    """Every node, but without those under ``if TYPE_CHECKING`` unless wanted."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        if types_too or not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)):
            yield from walk(child, types_too)


def imports(module: str, types_too: bool = True) -> set[str]:
    """What a module imports, as full names: of a module, or of a thing in it."""
    found: set[str] = set()
    for node in walk(modules()[module], types_too):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def is_constant(node: ast.AST, values: set[str]) -> bool:
    return isinstance(node, ast.Constant) and node.value in values


@pytest.mark.parametrize("package", PURE)
def test_a_pure_package_imports_nothing_impure(package: str) -> None:
    members = [module for module in modules() if within(module, package)]
    assert members
    bad = {
        f"{module} imports {name}"
        for module in members
        for name in imports(module)
        for impure in IMPURE
        if within(name, impure)
    }
    assert not bad


def test_only_the_lab_and_mininets_own_classes_import_mininet() -> None:
    users = {m for m in modules() if any(within(name, "mininet") for name in imports(m))}
    allowed = ("testbed.lab", "testbed.topology", "topologies")
    assert not {user for user in users if not any(within(user, package) for package in allowed)}


def test_packages_do_not_import_in_circles() -> None:
    def package(name: str) -> str:
        return ".".join(name.split(".")[: 2 if within(name, "testbed") else 1])

    graph: dict[str, set[str]] = {}
    for module in modules():
        ours = {name for name in imports(module, types_too=False) if name.split(".")[0] in FOLDERS}
        # `from testbed import objects` is of testbed.objects, `import __version__` of testbed.
        known = {package(name) for name in ours} & {package(module) for module in modules()}
        graph.setdefault(package(module), set()).update(known - {package(module), "testbed"})
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_nothing_runs_a_shell_on_a_string() -> None:
    bad = [
        f"{module}:{node.value.lineno}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "shell"
    ]
    calls = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    bad += [
        f"{module}:{node.lineno}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in calls
    ]
    assert not bad


def test_only_the_modes_know_their_names() -> None:
    assert {"vxlan", "bgp", "host-gw"} <= set(MODES)
    named = set(MODES) - ALSO_KERNEL_WORDS
    bad: list[str] = []
    for module, tree in modules().items():
        if within(module, "cni_modes") or module == "testbed.spec":
            continue
        for node in ast.walk(tree):
            asks = isinstance(node, ast.Compare | ast.match_case)
            if (asks and any(is_constant(part, set(MODES)) for part in ast.walk(node))) or (
                is_constant(node, named)
            ):
                bad.append(f"{module}: {ast.unparse(node)}")
    assert not bad


def test_each_test_module_has_a_name_of_its_own() -> None:
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
