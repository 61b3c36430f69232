"""The TOML file of clients: who may call, from where, which FHIR servers they may name, under which profile."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from app.settings import Settings

SANDBOX = "https://sandbox.cds-hooks.org"
ReplaceForm = Literal["create-delete", "update"]
DeleteForm = Literal["resourceId", "resource"]
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS384", "EdDSA"]


class ClientsError(Exception):
    """The clients file stops the start; the text names the entry and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and what was agreed with it.

    ``fhir_servers`` are the base URLs that it may name; ``open_servers`` those that may be asked without
    a token. ``any_loopback_server`` (demo mode) adds every FHIR server on this machine, token or not.
    ``internal_network`` lets their names lead to this machine or a private network.
    ``prefetch`` overrides query templates by key. ``replace`` and ``delete`` choose the form of suggestions.
    ``silent`` keeps all cards back, ``silent_rules`` those of some rules; both are counted all the same.
    ``repeat_alerts_days`` is how long an override with a reason holds for an order that did not change; 0: never.
    """

    name: str
    issuer: str
    profile: str
    timezone: str
    budget_ms: int
    tenant: str = ""
    fhir_servers: tuple[str, ...] = ()
    open_servers: tuple[str, ...] = ()
    any_loopback_server: bool = False
    internal_network: bool = False
    prefetch: Mapping[str, str] = field(default_factory=dict)
    replace: ReplaceForm = "create-delete"
    delete: DeleteForm = "resourceId"
    services: tuple[str, ...] = ()
    silent: bool = False
    silent_rules: frozenset[str] = frozenset()
    repeat_alerts_days: int = 0


class Client(BaseModel):
    """One ``[[client]]`` of the file, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    issuer: Annotated[str, Field(min_length=1)]
    jwks_file: str | None = None
    jwks_url: str | None = None
    jku: list[str] = []
    algorithms: list[Algorithm] = ["ES384", "RS384"]
    max_token_seconds: Annotated[int, Field(ge=1, le=86_400)] = 3600
    tenants: list[str] = []
    origins: list[str] = []
    fhir_servers: list[str] = []
    open_fhir_servers: list[str] = []
    internal_network: bool = False
    services: list[str] = []
    profile: str | None = None
    timezone: str | None = None
    budget_ms: Annotated[int, Field(ge=50, le=30_000)] | None = None
    replace: ReplaceForm = "create-delete"
    delete: DeleteForm = "resourceId"
    prefetch: dict[str, str] = {}
    jti_reuse: bool = False
    jti_when_store_is_down: Literal["refuse", "accept"] = "refuse"
    silent: bool = False
    silent_rules: list[str] = []
    repeat_alerts_days: Annotated[int, Field(ge=0, le=365)] = 0

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        try:
            ZoneInfo(value) if value else None
        except (KeyError, ValueError, OSError) as unknown:
            raise ValueError("give a name of the IANA list, such as Europe/Vienna") from unknown
        return value

    @field_validator("fhir_servers", "open_fhir_servers")
    @classmethod
    def _https(cls, value: list[str]) -> list[str]:
        for url in value:
            parts = urlsplit(url)
            if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
                raise ValueError(f"{url} must be an https base URL")
        return [url.rstrip("/") for url in value]

    @field_validator("origins")
    @classmethod
    def _origin(cls, value: list[str]) -> list[str]:
        for origin in value:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin:
                raise ValueError(f"{origin} must be an origin such as https://ehr.example.org")
        return value

    @model_validator(mode="after")
    def _one_key_source(self) -> "Client":
        if (self.jwks_file is None) == (self.jwks_url is None):
            raise ValueError("give one of jwks_file and jwks_url")
        if self.jwks_url is not None and urlsplit(self.jwks_url).scheme != "https":
            raise ValueError("jwks_url must be https")
        return self

    def caller(self, tenant: str, settings: Settings) -> Caller:
        """This client as a caller, the settings filling what its entry leaves open."""
        return Caller(
            name=self.name,
            issuer=self.issuer,
            tenant=tenant,
            profile=self.profile or settings.guideline,
            timezone=self.timezone or settings.timezone,
            budget_ms=self.budget_ms or settings.budget_ms,
            fhir_servers=(*self.fhir_servers, *self.open_fhir_servers),
            open_servers=tuple(self.open_fhir_servers),
            internal_network=self.internal_network,
            prefetch=self.prefetch,
            replace=self.replace,
            delete=self.delete,
            services=tuple(self.services),
            silent=self.silent,
            silent_rules=frozenset(self.silent_rules),
            repeat_alerts_days=self.repeat_alerts_days,
        )


def demo_caller(settings: Settings) -> Caller:
    """The one caller of demo mode: any FHIR server on this machine, or, in public, the listed ones only."""
    own = f"{settings.public_url}/fhir"
    listed = tuple(url.rstrip("/") for url in settings.demo_fhir_servers)
    return Caller(
        name="demo",
        issuer="demo",
        profile=settings.guideline,
        timezone=settings.timezone,
        budget_ms=settings.budget_ms,
        fhir_servers=(own, *listed),
        open_servers=(own, *listed),
        any_loopback_server=not settings.demo_public,
        internal_network=True,
    )


def load(path: Path) -> tuple[Client, ...]:
    """The clients of a file; relative ``jwks_file`` paths are made absolute, from the file's folder.

    Raises:
        ClientsError: the file cannot be read, has no client, or an entry is wrong.
    """
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ClientsError(f"The clients file {path} cannot be read: {error}.") from error
    entries = content.get("client")
    if set(content) - {"client"} or not isinstance(entries, list) or not entries:
        raise ClientsError(f"The clients file {path} must hold [[client]] entries and nothing else.")
    clients = tuple(_client(path, number, entry) for number, entry in enumerate(entries, start=1))
    for attribute in ("name", "issuer"):
        values = [getattr(client, attribute) for client in clients]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise ClientsError(f"The clients file {path} has two clients of the {attribute} {twice}.")
    return clients


def _client(path: Path, number: int, entry: object) -> Client:
    try:
        client = Client.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ClientsError(f"The clients file {path}, client {number}, {where or 'entry'}: {first['msg']}.") from None
    if client.jwks_file is None:
        return client
    keys = path.parent / client.jwks_file
    if not keys.is_file():
        raise ClientsError(f"The clients file {path}, client {number}: jwks_file {keys} does not exist.")
    return client.model_copy(update={"jwks_file": str(keys)})
