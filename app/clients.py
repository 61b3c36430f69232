"""The clients: who may call, from where, which FHIR servers they may name, under which profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from app.settings import Settings

SANDBOX = "https://sandbox.cds-hooks.org"
ReplaceForm = Literal["create-delete", "update"]
DeleteForm = Literal["resourceId", "resource"]
SelectionBehavior = Literal["at-most-one", "any"]
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
    So do ``selection_behavior``, ``action_selection_behavior`` and ``system_actions_key``, which say what it can read.
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
    selection_behavior: SelectionBehavior = "at-most-one"
    action_selection_behavior: bool = False
    system_actions_key: bool = False
    services: tuple[str, ...] = ()
    silent: bool = False
    silent_rules: frozenset[str] = frozenset()
    repeat_alerts_days: int = 0


class Client(BaseModel):
    """One ``[[client]]`` of the file, checked."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="its name in logs, counters and reports",
        examples=["city-hospital"],
    )
    issuer: str = Field(min_length=1, description="the iss of its tokens", examples=["https://ehr.example.org"])
    jwks_file: str | None = Field(
        None, description="file of its public keys, beside this one; or else jwks_url", examples=["city-hospital.json"]
    )
    jwks_url: str | None = Field(
        None, description="https address of its public keys", examples=["https://ehr.example.org/jwks"]
    )
    jku: list[str] = Field(
        [],
        description="further addresses that its tokens may name as jku; none of them is fetched",
        examples=[["https://ehr.example.org/old-jwks"]],
    )
    algorithms: list[Algorithm] = Field(
        ["ES384", "RS384"], description="what it may sign with", examples=[["ES384", "RS384"]]
    )
    max_token_seconds: int = Field(3600, ge=1, le=86_400, description="longest life of a token", examples=[300])
    tenants: list[str] = Field(
        [], description="accepted tenant claims; left out: any, or none", examples=[["north", "south"]]
    )
    jti_reuse: bool = Field(
        False, description="true lets a token be used more than once: for test kits only", examples=[False]
    )
    jti_when_store_is_down: Literal["refuse", "accept"] = Field(
        "refuse",
        description="what becomes of calls while used tokens cannot be looked up: refuse (503) or accept",
        examples=["refuse"],
    )
    origins: list[str] = Field(
        [], description="origins of browsers that may call (CORS)", examples=[["https://ehr.example.org"]]
    )
    fhir_servers: list[str] = Field(
        [],
        description="FHIR base URLs that it may name, asked with the token of the call",
        examples=[["https://fhir.example.org/r4"]],
    )
    open_fhir_servers: list[str] = Field(
        [],
        description="FHIR base URLs that may be asked without a token",
        examples=[["https://open.example.org/r4"]],
    )
    internal_network: bool = Field(
        False,
        description="true lets the names of its servers lead to private addresses or this machine",
        examples=[False],
    )
    services: list[str] = Field(
        [], description="services that it may call; left out: all", examples=[["cat-patient-view", "cat-order-select"]]
    )
    profile: str | None = Field(
        None, description="guideline profile; left out: CAT_CDS_GUIDELINE", examples=["contemporary-2023"]
    )
    timezone: str | None = Field(
        None, description="time zone whose today counts; left out: CAT_CDS_TIMEZONE", examples=["Europe/Vienna"]
    )
    budget_ms: int | None = Field(
        None, ge=50, le=30_000, description="time for a whole call; left out: CAT_CDS_BUDGET_MS", examples=[900]
    )
    replace: ReplaceForm = Field(
        "create-delete",
        description="how an order is replaced: create-delete, or update (the draft is changed in place)",
        examples=["create-delete"],
    )
    delete: DeleteForm = Field(
        "resourceId", description="how a delete names its target: resourceId or resource", examples=["resourceId"]
    )
    selection_behavior: SelectionBehavior = Field(
        "at-most-one",
        description="any (CDS Hooks 2.0 and newer) marks a single suggestion so; alternatives are always at-most-one",
        examples=["at-most-one"],
    )
    action_selection_behavior: bool = Field(
        False,
        description="true (CDS Hooks 3.0) says with each suggestion that its actions go together: all",
        examples=[False],
    )
    system_actions_key: bool = Field(
        False,
        description="true sends systemActions, always empty, for clients such as the CRD test kit that demand it",
        examples=[False],
    )
    silent: bool = Field(
        False, description="true runs and counts all rules and sends no card: for the first weeks", examples=[False]
    )
    silent_rules: list[str] = Field([], description="rules that are counted only", examples=[["compression-stockings"]])
    repeat_alerts_days: int = Field(
        0,
        ge=0,
        le=365,
        description="days for which an override with a reason holds while the order does not change; 0: not at all",
        examples=[0],
    )
    prefetch: dict[str, str] = Field(
        {},
        description="own templates for single keys",
        examples=[{"conditions": "Condition?patient={{context.patientId}}&category=problem-list-item&_count=250"}],
    )

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
                raise ValueError(f"{url} must be an https base URL, without user, query and fragment")
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
            selection_behavior=self.selection_behavior,
            action_selection_behavior=self.action_selection_behavior,
            system_actions_key=self.system_actions_key,
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
