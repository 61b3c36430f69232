"""compose.yaml: confined containers, a database that nobody else reaches, no secret in it, and names that exist."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from app.cli.serve import GRACE_SECONDS, KEEP_ALIVE_SECONDS
from app.settings import Settings, load, variable
from tests.deploy.files import COMPOSE, NGINX, PAGE, compose, image, image_port, nginx, seconds

SERVICES = compose()["services"]
GIVEN = {
    "CAT_CDS_PUBLIC_URL": "https://cds.example.org",
    "CAT_CDS_CARD_KEY": "k" * 64,
    "CAT_CDS_STAFF_TOKEN": "",
    "DATABASE_PASSWORD": "p" * 64,
    "CLIENTS_FOLDER": "/srv/clients",
    "TLS_CERTIFICATE": "/srv/tls.pem",
    "TLS_KEY": "/srv/tls.key",
}


def filled(text: str) -> str:
    """A value with what a deployment sets in its place."""
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: GIVEN[found[1]], text)


def networks_of(service: str) -> set[str]:
    return set(SERVICES[service]["networks"])


def test_three_replicas_stand_behind_one_balancer_and_before_one_database() -> None:
    assert set(SERVICES) == {"balancer", "cat-cds", "tables", "database"}
    assert SERVICES["cat-cds"]["deploy"]["replicas"] == 3
    assert SERVICES["balancer"]["depends_on"] == {"cat-cds": {"condition": "service_healthy"}}
    assert SERVICES["cat-cds"]["depends_on"]["tables"] == {"condition": "service_completed_successfully"}
    assert SERVICES["tables"]["command"] == ["db", "upgrade"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_confined(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["user"].partition(":")[0]) > 0
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert "privileged" not in service
    assert "cap_add" not in service


def test_every_container_that_goes_on_is_asked_how_it_is() -> None:
    with_check = {name for name, service in SERVICES.items() if "test" in service.get("healthcheck", {})}

    assert with_check == {"balancer", "database"}
    assert "HEALTHCHECK" in image()  # the replicas have the image's
    assert SERVICES["tables"]["healthcheck"] == {"disable": True}  # runs once
    assert "healthcheck" not in SERVICES["cat-cds"]


def test_the_replicas_run_as_the_user_of_the_image() -> None:
    assert {SERVICES[name]["user"].partition(":")[0] for name in ("cat-cds", "tables")} == {image()["USER"]}
    assert SERVICES["cat-cds"]["tmpfs"][0].partition(":")[0] == image()["WORKDIR"]


def test_the_database_is_reached_by_the_service_alone() -> None:
    inside = {name for name, network in compose()["networks"].items() if network.get("internal")}

    assert [name for name, service in SERVICES.items() if "ports" in service] == ["balancer"]
    assert networks_of("database") == {"data"} <= inside
    assert {name for name in SERVICES if "data" in networks_of(name)} == {"database", "tables", "cat-cds"}
    assert networks_of("balancer") - inside == {"outside"}
    assert networks_of("balancer") & networks_of("cat-cds") == {"front"} <= inside
    assert networks_of("cat-cds") - inside == {"fhir"}  # to the FHIR servers and key sets of its clients


def test_no_secret_has_a_default_and_the_page_names_what_is_to_be_set() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    named = dict(re.findall(r"\$\{(\w+)([^}]*)\}", text))

    assert set(named) == set(GIVEN)
    assert {name for name, rest in named.items() if not rest.startswith(":?")} == {"CAT_CDS_STAFF_TOKEN"}
    assert named["CAT_CDS_STAFF_TOKEN"] == ":-"
    assert [name for name in GIVEN if name not in PAGE.read_text(encoding="utf-8")] == []
    for ignored in (".gitignore", ".dockerignore"):  # where the page has them written to
        assert {".env", "*"} & set((COMPOSE.parent / ignored).read_text(encoding="utf-8").splitlines())


def test_the_service_starts_with_the_environment_that_it_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = SERVICES["cat-cds"]["environment"]
    for name, value in given.items():
        monkeypatch.setenv(name, filled(value))

    settings = load()

    assert set(given) <= {variable(field) for field in Settings.model_fields}
    assert settings.store_url == f"postgresql://cat_cds:{'p' * 64}@database/cat_cds"
    assert set(SERVICES["tables"]["environment"]) == {variable("database_url")}
    folder, place, mode = filled(SERVICES["cat-cds"]["volumes"][0]).split(":")
    assert (folder, mode) == (GIVEN["CLIENTS_FOLDER"], "ro")
    assert str(settings.clients_file).startswith(f"{place}/")


def test_the_database_is_the_one_that_the_service_asks_for() -> None:
    database = {name: filled(value) for name, value in SERVICES["database"]["environment"].items()}

    url = f"postgresql://{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}@database/{database['POSTGRES_DB']}"
    assert url == filled(SERVICES["cat-cds"]["environment"][variable("database_url")])


def test_the_balancer_runs_the_configuration_of_the_project() -> None:
    source, target, mode = SERVICES["balancer"]["volumes"][0].split(":")
    published, listened = SERVICES["balancer"]["ports"][0].split(":")

    assert (COMPOSE.parent / source).resolve() == NGINX
    assert (target, mode) == ("/etc/nginx/nginx.conf", "ro")
    assert (published, nginx("listen")) == ("443", f"{listened} ssl")
    assert SERVICES["balancer"]["healthcheck"]["test"][-1] == listened
    assert nginx("server").split()[0] == f"cat-cds:{image_port()}"
    used = {nginx("ssl_certificate"), nginx("ssl_certificate_key")}
    assert used == {f"/run/secrets/{name}" for name in SERVICES["balancer"]["secrets"]}
    assert set(SERVICES["balancer"]["secrets"]) == set(compose()["secrets"])


def test_the_balancer_has_a_version_that_knows_its_configuration() -> None:
    version = re.search(r":(\d+)\.(\d+)", SERVICES["balancer"]["image"])

    assert version is not None
    assert (int(version[1]), int(version[2])) >= (1, 28)  # "resolve" came with 1.27.3
    assert "resolve" in nginx("server").split()


def test_balancer_and_service_agree_on_how_long_and_how_much() -> None:
    fields = Settings.model_fields
    [longest] = [limit.le for limit in fields["budget_ms"].metadata if hasattr(limit, "le")]

    assert (
        seconds(re.findall(r"^ {8}keepalive_timeout (\w+);", NGINX.read_text(), re.MULTILINE)[0]) < KEEP_ALIVE_SECONDS
    )
    assert int(nginx("client_max_body_size").removesuffix("m")) * 2**20 > fields["max_body_bytes"].default
    assert seconds(nginx("proxy_read_timeout")) > longest / 1000


def test_no_call_that_was_sent_is_sent_to_another_replica() -> None:
    assert nginx("proxy_next_upstream").split() == ["error", "timeout"]


def test_a_replica_has_time_to_answer_what_it_has_in_hand() -> None:
    grace = GRACE_SECONDS + Settings.model_fields["budget_ms"].default / 1000

    assert seconds(SERVICES["cat-cds"]["stop_grace_period"]) > grace
    assert json.loads(image()["ENTRYPOINT"]) == ["cat-cds"]  # gets the signal itself
