"""Every way a call can fail: HTTP status, FHIR issue code and the words for the caller.

CallError
├── BadRequestError          400 invalid        the JSON body or an element of it
│   └── MissingElementError  400 required       an element that must be there
├── NotAuthenticatedError    401 login          constant words, whatever was wrong
├── NotAllowedError          403 forbidden      a known client that may not do this
├── UnknownPathError         404 not-found
├── UnknownServiceError      404 not-found
├── WrongMethodError         405 not-supported
├── TooSlowError             408 timeout        a request that did not come in time
├── MissingDataError         412 required       a required prefetch key that nobody can get
├── UnidentifiedOrderError   412 incomplete     the medicine of a draft that could not be read
├── TooLargeError            413 too-long
├── WrongMediaTypeError      415 not-supported
├── MisdirectedError         421 security       demo mode: a Host that is not this machine
├── UnavailableError         503 transient
├── RefusedError             4xx processing     a refusal of the HTTP layer without a class of its own
└── UnforeseenError          500 exception      never with internals

No text here may hold anything from the record, a token or a trace.
"""


class CallError(Exception):
    """A failed call, told as one FHIR issue.

    ``expression`` names the elements of the request that are wrong (``context.patientId``);
    ``diagnostics`` is one plain line for the integrator.
    """

    status = 500
    code = "exception"

    def __init__(self, text: str, *, expression: tuple[str, ...] = (), diagnostics: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.expression = expression
        self.diagnostics = diagnostics

    @property
    def headers(self) -> dict[str, str]:
        """Headers that this kind of answer must carry."""
        return {}


class BadRequestError(CallError):
    """The body is not what the specification asks for."""

    status = 400
    code = "invalid"


class MissingElementError(BadRequestError):
    """An element that the specification requires is not there."""

    code = "required"


class NotAuthenticatedError(CallError):
    """The caller did not prove who it is. The words never say why; ``cause``, one word, is for the log alone."""

    status = 401
    code = "login"

    def __init__(self, cause: str = "") -> None:
        super().__init__("Authentication is required.")
        self.cause = cause

    @property
    def headers(self) -> dict[str, str]:
        """The challenge that RFC 6750 asks for."""
        return {"WWW-Authenticate": "Bearer"}


class NotAllowedError(CallError):
    """A known client without the right to this service or tenant."""

    status = 403
    code = "forbidden"


class UnknownPathError(CallError):
    """Nothing is served at this address."""

    status = 404
    code = "not-found"


class UnknownServiceError(CallError):
    """Discovery lists no service of this id."""

    status = 404
    code = "not-found"


class WrongMethodError(CallError):
    """The address exists, the method does not; ``allowed`` lists those that do."""

    status = 405
    code = "not-supported"

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__("This method is not served here.", diagnostics=f"Use {', '.join(allowed)}." if allowed else "")
        self.allowed = allowed

    @property
    def headers(self) -> dict[str, str]:
        """The ``Allow`` header that HTTP asks for."""
        return {"Allow": ", ".join(self.allowed)} if self.allowed else {}


class TooSlowError(CallError):
    """The request did not come in the time that it may take."""

    status = 408
    code = "timeout"

    def __init__(self) -> None:
        super().__init__("The request did not come in time.")


class MissingDataError(CallError):
    """Precondition not met: ``keys`` are required, and neither in prefetch nor to be had by FHIR."""

    status = 412
    code = "required"

    def __init__(self, keys: tuple[str, ...], reasons: tuple[str, ...]) -> None:
        super().__init__(
            "Data that this service requires is not in prefetch and could not be read from the FHIR server.",
            expression=tuple(f"prefetch.{key}" for key in keys),
            diagnostics="; ".join(f"{key}: {reason}" for key, reason in zip(keys, reasons, strict=True)),
        )
        self.keys = keys


class UnidentifiedOrderError(CallError):
    """Precondition not met: what a draft in focus is could not be found out, and it may matter."""

    status = 412
    code = "incomplete"

    def __init__(self) -> None:
        super().__init__(
            "The medicine of a draft order is a reference that could not be read.", expression=("context.draftOrders",)
        )


class TooLargeError(CallError):
    """The body is longer than the service accepts."""

    status = 413
    code = "too-long"


class WrongMediaTypeError(CallError):
    """The body is not declared as JSON."""

    status = 415
    code = "not-supported"


class MisdirectedError(CallError):
    """The Host header names a machine that this demo does not answer for (DNS rebinding)."""

    status = 421
    code = "security"


class UnavailableError(CallError):
    """The service cannot answer now, and may later."""

    status = 503
    code = "transient"

    @property
    def headers(self) -> dict[str, str]:
        """When to try again, in seconds."""
        return {"Retry-After": "5"}


class UnforeseenError(CallError):
    """Anything else. The log has the correlation id; the caller gets no internals."""

    def __init__(self) -> None:
        super().__init__("The service failed. The correlation id leads to its log.")


class RefusedError(CallError):
    """A refusal of the HTTP layer that has no class of its own: its 4xx status, generic words."""

    code = "processing"

    def __init__(self, status: int) -> None:
        super().__init__("The request was refused.")
        self.status = status
