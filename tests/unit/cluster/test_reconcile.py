"""``apply`` and ``delete``: what stays keeps its name, node and address."""

from __future__ import annotations

import re

import pytest
from cluster_builders import apply, delete, deployment, namespace, new, placed, places, pod
from service_builders import endpoint_slice

from testbed.cluster import Cluster
from testbed.errors import InputError
from testbed.objects import Object

WEB = ("default", "web")


def web(replicas: int, **more: str) -> Object:
    return deployment("web", replicas, **more)


def test_applying_again_changes_nothing() -> None:
    objects = [namespace("shop"), web(3), pod("a", where="shop")]
    once = apply(new(3), *objects)
    assert apply(once, *objects) == once


def test_a_slice_keeps_the_type_of_its_addresses() -> None:
    four = endpoint_slice("mine", "web", {"addresses": ["10.0.0.9"]})
    six = endpoint_slice("mine", "web", {"addresses": ["fd00::9"]}, addressType="IPv6")
    once = apply(new(1), four)
    assert apply(once, four) == once
    with pytest.raises(InputError, match=r'addressType: Invalid value: "IPv6": field is immutable'):
        apply(once, six)


def test_apply_leaves_the_old_value_alone() -> None:
    before = new(3)
    apply(before, web(3))
    assert not before.pods


def test_a_namespace_and_what_is_in_it_may_come_in_any_order() -> None:
    cluster = apply(new(1), pod("a", where="shop"), namespace("shop"))
    assert list(cluster.pods) == [("shop", "a")]


def test_scaling_up_keeps_the_pods_and_adds_others() -> None:
    small = apply(new(3), web(2))
    large = apply(small, web(5))
    assert len(large.pods) == 5
    assert places(small).items() <= places(large).items()


def test_scaling_down_removes_the_youngest() -> None:
    large = apply(new(3), web(5))
    small = apply(large, web(2))
    assert list(small.pods) == list(large.pods)[:2]
    assert places(small).items() <= places(large).items()


def test_scaling_to_nothing_and_back_makes_new_names() -> None:
    first = apply(new(3), web(2))
    none = apply(first, web(0))
    assert not none.pods
    assert not apply(none, web(2)).pods.keys() & first.pods.keys()


def test_another_template_replaces_every_pod() -> None:
    old = apply(new(3), web(3), pod("a"))
    changed = apply(old, web(3, image="nginx"))
    assert len(changed.pods) == 4
    assert old.pods.keys() & changed.pods.keys() == {("default", "a")}
    images = {b.pod.spec.containers[0].image for b in changed.pods.values() if b.owner}
    assert images == {"nginx"}


def test_a_deleted_pod_of_a_deployment_is_replaced_by_another() -> None:
    old = apply(new(3), web(3))
    gone = next(iter(old.pods))
    after = delete(old, ("Pod", *gone))
    assert gone not in after.pods
    assert len(after.pods) == 3
    assert len(after.pods.keys() & old.pods.keys()) == 2


def test_deleting_a_deployment_deletes_its_pods() -> None:
    cluster = delete(apply(new(3), web(3), pod("a")), ("Deployment", *WEB))
    assert placed(cluster) == ["a n1 10.244.1.2"]
    assert not cluster.deployments


def test_a_deployment_of_the_same_name_elsewhere_has_its_own_pods() -> None:
    both = apply(new(3), namespace("shop"), web(2), deployment("web", 2, where="shop"))
    left = delete(both, ("Deployment", *WEB))
    assert {key[0] for key in left.pods} == {"shop"}
    assert len(left.pods) == 2


def test_deleting_a_namespace_deletes_what_is_in_it() -> None:
    inside = [deployment("web", 2, where="shop"), pod("a", where="shop")]
    full = apply(new(3), namespace("shop"), *inside, pod("b"))
    cluster = delete(full, ("Namespace", "", "shop"))
    assert list(cluster.pods) == [("default", "b")]
    assert "shop" not in cluster.namespaces
    assert not cluster.deployments


def test_labels_of_a_running_pod_may_change() -> None:
    old = apply(new(3), pod("a", node="n2"))
    changed = apply(old, pod("a", labels={"tier": "front"}))
    assert changed.pods["default", "a"].pod.metadata.labels == {"tier": "front"}
    assert places(changed) == places(old)


def test_naming_the_node_and_address_that_a_pod_has_changes_nothing() -> None:
    old = apply(new(3), pod("a"))
    assert places(apply(old, pod("a", node="n1", address="10.244.1.2"))) == places(old)


def test_a_bare_pod_is_not_a_deployments() -> None:
    cluster = apply(new(3), pod("web-1", labels={"app": "web"}), web(1))
    assert [bound.owner for bound in cluster.pods.values()] == [None, "web"]


def test_pod_names() -> None:
    """``NAME-HASH-SUFFIX`` in Kubernetes' alphabet, the same in every lab."""
    word = "[bcdfghjklmnpqrstvwxz2456789]"
    cluster = apply(new(3), web(20))
    names = [name for _, name in cluster.pods]
    assert all(re.fullmatch(rf"web-{word}{{10}}-{word}{{5}}", name) for name in names)
    assert len(set(names)) == 20
    assert len({name.split("-")[1] for name in names}) == 1
    assert names == [name for _, name in apply(new(2), web(20)).pods]
    assert names[0] == "web-l6lqt6p8dn-vkf9l"


def test_no_two_pods_of_a_deployment_share_a_name() -> None:
    assert len(apply(new(3, node_cidr_mask_size=20), deployment("web27", 5000)).pods) == 5000


def test_the_hash_of_the_template_is_a_label_of_its_pods() -> None:
    (bound,) = apply(new(1), web(1)).pods.values()
    assert bound.pod.metadata.labels == {
        "app": "web",
        "pod-template-hash": bound.key[1].split("-")[1],
    }


RUNNING = "a running pod's spec cannot be changed\n  Delete the pod first, or use a Deployment."
ANNOTATION = "cni.projectcalico.org/ipAddrs"
APPLY_ERRORS = [
    (
        pod("a", where="defualt"),
        "metadata.namespace: unknown namespace 'defualt'\n"
        "  Did you mean 'default'? Known: default, kube-node-lease, kube-public, kube-system.",
    ),
    (pod("old", image="nginx"), f"spec: {RUNNING}"),
    (pod("old", node="n2"), f"spec: {RUNNING}"),
    (pod("old", address="10.244.1.9"), f"{ANNOTATION}: {RUNNING}"),
]


@pytest.mark.parametrize(("item", "message"), APPLY_ERRORS)
def test_what_apply_refuses(item: Object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        apply(apply(new(3), pod("old")), item)
    assert str(caught.value) == f"{item.source.file}: {message}"


DELETE_ERRORS = [
    (("Pod", "default", "b"), "pod 'b' not found in namespace 'default'"),
    (("Deployment", "shop", "web"), "deployment 'web' not found in namespace 'shop'"),
    (("Namespace", "", "shop"), "namespace 'shop' not found"),
    (("Service", "default", "web"), "service 'web' not found in namespace 'default'"),
    (("Node", "", "n1"), "node 'n1' cannot be deleted"),
    (("Namespace", "", "kube-system"), "namespace 'kube-system' cannot be deleted"),
]


@pytest.mark.parametrize(("key", "message"), DELETE_ERRORS)
def test_what_delete_refuses(key: tuple[str, str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        delete(apply(new(3), pod("a"), web(1)), key)
    assert str(caught.value) == message


def test_nothing_is_deleted_when_one_of_several_is_not_there() -> None:
    cluster: Cluster = apply(new(3), pod("a"))
    with pytest.raises(InputError):
        delete(cluster, ("Pod", "default", "a"), ("Pod", "default", "b"))
    assert placed(cluster) == ["a n1 10.244.1.2"]
