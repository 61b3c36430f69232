"""The settings: environment variables ``CAT_CDS_*``, read once at start. Unknown or wrong ones stop the start."""

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CAT_CDS_"
STORE_FILE = "cat-cds.db"
_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
DEMO_CARD_KEY = "cat-cds demo key: public, the same in every worker"


class SettingsError(Exception):
    """A setting stops the start; the text names the variable and the remedy."""


class Settings(BaseSettings):
    """What a deployment may choose. Every field is the variable ``CAT_CDS_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    public_url: str = Field("http://127.0.0.1:8000", description="address under which callers reach the service")
    guideline: str = Field("lmwh-first-2014", description="guideline profile of clients that name none")
    timezone: str = Field("UTC", description="time zone of clients that name none, such as Europe/Vienna")
    clients_file: Path | None = Field(None, description="TOML file of the clients that may call")
    budget_ms: int = Field(1200, ge=50, le=30_000, description="time for the whole of a call, milliseconds")
    max_body_bytes: int = Field(10_000_000, ge=1_000, le=200_000_000, description="longest request body, bytes")
    max_fhir_bytes: int = Field(10_000_000, ge=1_000, le=200_000_000, description="longest FHIR answer read, bytes")
    max_pages: int = Field(10, ge=1, le=100, description="most pages read of one FHIR search")
    fhir_connections: int = Field(16, ge=1, le=64, description="most FHIR requests at a time to one server, per worker")
    fhir_pause_seconds: int = Field(
        60, ge=0, le=3600, description="longest time for which a failing FHIR server is left alone, seconds; 0: never"
    )
    workers: int | None = Field(None, ge=1, le=64, description="processes that answer; left out: one per usable core")
    threads: int = Field(16, ge=1, le=256, description="calls at a time, per worker")
    waiting: int = Field(64, ge=0, le=10_000, description="most calls that wait for a thread, per worker; then 503")
    ca_file: Path | None = Field(None, description="file of certificate authorities, instead of the usual ones")
    demo: bool = Field(False, description="demo mode: no authentication, fixture patients at /fhir")
    demo_public: bool = Field(False, description="demo mode on other than loopback addresses")
    demo_fhir_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="FHIR servers that --demo-public accepts, separated by commas"
    )
    card_key: SecretStr | None = Field(None, description="secret of 32 characters or more, the same for all replicas")
    fixtures: Path | None = Field(None, description="folder of the demo patients")
    local_codes: Path | None = Field(None, description="CSV file of local codes")
    code_packs: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="code packs to load, separated by commas; left out: all"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL or SQLite, such as postgresql://user@host/name; else a SQLite file"
    )
    state_dir: Path | None = Field(None, description="folder of the SQLite file, instead of the working directory")
    keep_days: int = Field(730, ge=1, le=36_500, description="how long feedback and counts are kept, days")
    store_comments: bool = Field(False, description="keep the comments that clinicians write to feedback")
    staff_token: SecretStr | None = Field(
        None, description="secret of 32 characters or more that opens /feedback and /metrics outside demo mode"
    )
    spec_version: str = Field("2.0.1", pattern=r"^\d+\.\d+\.\d+$", description="CDS Hooks version that discovery names")

    @field_validator("public_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("give an address such as https://cds.example.org")
        return value.rstrip("/")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as unknown:
            raise ValueError("give a name of the IANA list, such as Europe/Vienna") from unknown
        return value

    @field_validator("card_key", "staff_token")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:  # noqa: PLR2004 - 256 bits as text
            raise ValueError("give 32 characters or more, for instance from: openssl rand -hex 32")
        return value

    @field_validator("code_packs", "demo_fhir_servers", mode="before")
    @classmethod
    def _comma_list(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def store_url(self) -> str:
        """The address of the store."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.state_dir or Path()).absolute() / STORE_FILE}"

    @property
    def card_secret(self) -> bytes:
        """The key of card ids: the deployment's, or the demo's public one (equal in every worker)."""
        return (self.card_key.get_secret_value() if self.card_key else DEMO_CARD_KEY).encode()


def variable(field: str) -> str:
    """The environment variable of a field of Settings."""
    return PREFIX + field.upper()


def load_alone(**given: object) -> Settings:
    """Settings as ``load`` has them, without asking for what only a service that answers clients needs.

    Raises:
        SettingsError: an unknown ``CAT_CDS_*`` variable or a bad value.
    """
    known = {variable(field) for field in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise SettingsError(f"{unknown[0]} is not a setting. Remove it, or use one of: {', '.join(sorted(known))}.")
    try:
        return Settings.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        wanted = Settings.model_fields[field].description if field in Settings.model_fields else ""
        raise SettingsError(f"{variable(field)}: {first['msg']}. It is the {wanted}.") from None


def load(**given: object) -> Settings:
    """Settings from the environment; ``given`` (from the command line) wins, None counts as not given.

    Raises:
        SettingsError: an unknown ``CAT_CDS_*`` variable, a bad value, or a missing one.
    """
    settings = load_alone(**given)
    _check_together(settings)
    return settings


def _check_together(settings: Settings) -> None:
    if settings.demo_public and not settings.demo:
        raise SettingsError(f"{variable('demo_public')} needs demo mode. Add --demo or set {variable('demo')}=true.")
    if settings.demo:
        return
    if settings.clients_file is None:
        raise SettingsError(
            f"{variable('clients_file')} is not set, so nobody may call. "
            "Name the TOML file of clients, or start with --demo."
        )
    address = urlsplit(settings.public_url)
    if address.scheme != "https" and address.hostname not in _THIS_MACHINE:
        raise SettingsError(
            f"{variable('public_url')}: {settings.public_url} is not https. "
            "CDS Hooks asks for TLS: let a proxy speak it, and give the https address here."
        )
    if settings.card_key is None:
        raise SettingsError(
            f"{variable('card_key')} is not set. "
            "Give one secret to all replicas, for instance from: openssl rand -hex 32."
        )
