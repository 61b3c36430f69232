"""docs/deploy/kubernetes.yaml: what it names exists in application, image or page; it asks for what it needs alone."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import click
import flask
import pytest

from app import create_app
from app.cli import main
from app.cli.serve import GRACE_SECONDS
from app.settings import Settings, load, variable
from tests.deploy.files import image, image_port, resource, shown_commands

POD = resource("Deployment")["spec"]["template"]["spec"]
[SERVER] = POD["containers"]
[TABLES] = POD["initContainers"]
LABELS = resource("Deployment")["spec"]["template"]["metadata"]["labels"]


@pytest.fixture(scope="module")
def app() -> flask.Flask:
    return create_app(Settings(demo=True))


def created(kind: str, name: str) -> list[str]:
    """The options of the command in docs/deploying.md that makes a ConfigMap or Secret of this name."""
    found = [words for words in shown_commands() if words[:2] == ["kubectl", "create"] and {kind, name} <= set(words)]
    assert len(found) == 1, f"docs/deploying.md makes {len(found)} times {kind} {name}"
    return [word for word in found[0] if word.startswith("--from-")]


@pytest.mark.parametrize("name", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_a_probe_asks_at_an_address_of_the_service(name: str, app: flask.Flask) -> None:
    probe = SERVER[name]["httpGet"]

    assert app.test_client().get(probe["path"]).status_code == 200
    assert probe["port"] == SERVER["ports"][0]["name"]


def test_being_alive_and_being_ready_are_two_questions() -> None:
    assert SERVER["livenessProbe"]["httpGet"]["path"] == "/health/live"
    assert SERVER["readinessProbe"]["httpGet"]["path"] == "/health/ready"


def test_the_ports_agree_from_the_service_to_the_image() -> None:
    [port] = resource("Service")["spec"]["ports"]
    [named] = SERVER["ports"]

    assert port["targetPort"] == named["name"]
    assert named["containerPort"] == image_port() == int(image()["EXPOSE"])
    assert resource("NetworkPolicy")["spec"]["ingress"][0]["ports"] == [{"port": named["name"], "protocol": "TCP"}]


def test_everything_is_about_the_pods_of_the_deployment() -> None:
    deployment = resource("Deployment")

    assert LABELS
    assert deployment["spec"]["selector"]["matchLabels"] == LABELS
    assert resource("Service")["spec"]["selector"] == LABELS
    assert resource("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == LABELS
    assert resource("NetworkPolicy")["spec"]["podSelector"]["matchLabels"] == LABELS
    target = resource("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target == {name: deployment[name] for name in ("apiVersion", "kind")} | {
        "name": deployment["metadata"]["name"]
    }
    kinds = ("Deployment", "Service", "ConfigMap", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy")
    assert {resource(kind)["metadata"]["namespace"] for kind in kinds} == {resource("Namespace")["metadata"]["name"]}


@pytest.mark.parametrize("container", [SERVER, TABLES], ids=["cat-cds", "tables"])
def test_a_container_keeps_to_the_restricted_standard(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container["resources"]) == {"requests", "limits"}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}  # by cpu it chooses the number of its workers


def test_the_pod_runs_as_the_user_of_the_image_with_nothing_of_the_cluster_in_it() -> None:
    context = POD["securityContext"]

    assert context["runAsNonRoot"] is True
    assert str(context["runAsUser"]) == image()["USER"]
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    assert POD["enableServiceLinks"] is False  # would set CAT_CDS_PORT and others, which are no settings
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)
    assert resource("Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_only_the_folder_for_passing_files_can_be_written() -> None:
    kinds = {volume["name"]: set(volume) - {"name"} for volume in POD["volumes"]}
    writable = [mount for mount in SERVER["volumeMounts"] if not mount.get("readOnly")]

    assert [mount["mountPath"] for mount in writable] == [image()["WORKDIR"]]
    assert kinds[writable[0]["name"]] == {"emptyDir"}


def test_the_service_starts_with_what_the_manifest_and_the_page_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = dict(option.partition("=")[2].split("=", 1) for option in created("secret", "cat-cds"))
    given = {**resource("ConfigMap")["data"], **secret}
    for name, value in given.items():
        monkeypatch.setenv(name, "k" * 64 if value.startswith("$(") else value)

    settings = load()

    assert set(given) <= {variable(field) for field in Settings.model_fields}
    assert variable("database_url") in secret
    assert not set(secret) & set(resource("ConfigMap")["data"])
    assert settings.store_url.startswith("postgresql://")
    [mount] = [mount for mount in SERVER["volumeMounts"] if mount["name"] == "clients"]
    assert str(settings.clients_file).startswith(f"{mount['mountPath']}/")


def test_what_the_pod_refers_to_is_in_the_manifest_or_made_by_the_page() -> None:
    [clients] = [volume["configMap"]["name"] for volume in POD["volumes"] if "configMap" in volume]

    assert SERVER["envFrom"] == [
        {"configMapRef": {"name": resource("ConfigMap")["metadata"]["name"]}},
        {"secretRef": {"name": "cat-cds"}},
    ]
    assert TABLES["envFrom"] == [{"secretRef": {"name": "cat-cds"}}]
    assert created("secret", "cat-cds")
    assert created("configmap", clients)


def test_the_tables_are_made_by_a_command_of_the_same_image() -> None:
    group, name = TABLES["args"]
    found = main.get_command(click.Context(main), group)

    assert isinstance(found, click.Group)
    assert name in found.commands
    assert TABLES["image"] == SERVER["image"]
    assert json.loads(image()["ENTRYPOINT"]) == ["cat-cds"]


def test_a_new_version_takes_the_place_of_the_old_one_without_a_gap() -> None:
    spec = resource("Deployment")["spec"]
    [sleep, pause] = SERVER["lifecycle"]["preStop"]["exec"]["command"]
    grace = GRACE_SECONDS + Settings.model_fields["budget_ms"].default / 1000

    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert (sleep, int(pause) > 0) == ("sleep", True)
    assert POD["terminationGracePeriodSeconds"] > int(pause) + grace
    assert resource("HorizontalPodAutoscaler")["spec"]["minReplicas"] > 1
    assert resource("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert "replicas" not in spec  # the autoscaler's to say


def test_pods_call_names_the_database_and_https_only() -> None:
    policy = resource("NetworkPolicy")["spec"]
    ports = [[(port["port"], port["protocol"]) for port in rule["ports"]] for rule in policy["egress"]]

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert ports == [[(53, "UDP"), (53, "TCP")], [(5432, "TCP")], [(443, "TCP")]]
    assert all(rule["to"] for rule in policy["egress"])
    assert all(rule["from"] for rule in policy["ingress"])


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "fd00:ec2::254"])
def test_pods_do_not_reach_where_a_cloud_tells_its_secrets(address: str) -> None:
    blocks = [one["ipBlock"] for one in resource("NetworkPolicy")["spec"]["egress"][2]["to"]]
    there = ipaddress.ip_address(address)
    about = [block for block in blocks if there in ipaddress.ip_network(block["cidr"])]

    assert len(about) == 1
    assert [part for part in about[0]["except"] if there in ipaddress.ip_network(part)]
