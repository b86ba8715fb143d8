"""Error messages: one line for every format of error body that OpenStack services send."""

import json
import time
from email.utils import formatdate
from typing import Any

import pytest
import requests

from ecs_pulumi.cloud.errors import (
    ApiError,
    BadRequest,
    ConfigurationError,
    Conflict,
    EcsError,
    Forbidden,
    NoMatch,
    NotFound,
    NotOffered,
    NotUnique,
    OperationFailed,
    QuotaExceeded,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unsupported,
    WaitTimeout,
    from_response,
    invalid_attribute,
    is_unknown_action,
    unknown_attributes,
)

REQUEST_ID = "req-6c8fb133-bc20-4867-a4de-4d5371989dc8"


def _error(
    status: int,
    body: Any,
    *,
    sent: Any = None,
    headers: dict[str, str] | None = None,
    sent_headers: dict[str, str] | None = None,
) -> ApiError:
    response = requests.Response()
    response.status_code = status
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    response.headers.update({"X-Openstack-Request-Id": REQUEST_ID, **(headers or {})})
    response.request = requests.Request(
        "POST", "https://nova.test/v2.1/p/servers", json=sent, headers={"X-Auth-Token": "gAAAAA-secret-token"}
    ).prepare()
    if sent_headers:
        response.request.headers.update(sent_headers)
    return from_response(response)


@pytest.mark.parametrize(
    ("status", "body", "error_class", "text"),
    [
        (
            404,
            {"itemNotFound": {"code": 404, "message": "Instance 1111 could not be found."}},
            NotFound,
            f"Instance 1111 could not be found (HTTP 404, {REQUEST_ID})",
        ),
        (
            409,
            {
                "conflictingRequest": {
                    "code": 409,
                    "message": "Cannot 'stop' instance 50c5 while it is in vm_state building",
                },
            },
            Conflict,
            f"Cannot 'stop' instance 50c5 while it is in vm_state building (HTTP 409, {REQUEST_ID})",
        ),
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Quota exceeded for cores, ram: Requested 64, 524288, but already used 3, 3072 of "
                    "20, 51200 cores, ram",
                },
            },
            QuotaExceeded,
            (
                "Quota exceeded for cores: requested 64, used 3 of 20; ram: requested 524288, used 3072 of 51200 "
                f"(HTTP 403, {REQUEST_ID}). Free resources or request a higher quota."
            ),
        ),
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Quota exceeded for cores: Requested 4, but already used 18 of 20 cores",
                },
            },
            QuotaExceeded,
            (
                f"Quota exceeded for cores: requested 4, used 18 of 20 (HTTP 403, {REQUEST_ID}). "
                "Free resources or request a higher quota."
            ),
        ),
        (
            413,
            {
                "overLimit": {
                    "code": 413,
                    "message": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed "
                    "gigabytes quota. Requested 5000G, quota is 1000G and 2G has been consumed.",
                    "retryAfter": "0",
                },
            },
            QuotaExceeded,
            (
                f"Quota exceeded for gigabytes: requested 5000, used 2 of 1000 (HTTP 413, {REQUEST_ID}). "
                "Free resources or request a higher quota."
            ),
        ),
        (
            413,
            {
                "overLimit": {
                    "code": 413,
                    "message": "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota "
                    "'volumes'.",
                },
            },
            QuotaExceeded,
            (
                f"Maximum number of volumes allowed (10) exceeded for quota 'volumes' (HTTP 413, {REQUEST_ID}). "
                "Free resources or request a higher quota."
            ),
        ),
        (
            409,
            {"conflictingRequest": {"code": 409, "message": "Key pair 'quota-watch' already exists."}},
            Conflict,
            f"Key pair 'quota-watch' already exists (HTTP 409, {REQUEST_ID})",
        ),
        (
            409,
            {
                "NeutronError": {
                    "type": "OverQuota",
                    "message": "Quota exceeded for resources: ['port'].",
                    "detail": "",
                },
            },
            QuotaExceeded,
            f"Quota exceeded for port (HTTP 409, {REQUEST_ID}). Free resources or request a higher quota.",
        ),
        (
            409,
            {
                "NeutronError": {
                    "type": "IpAddressAlreadyAllocated",
                    "message": "IP address 10.20.0.50 already allocated in subnet 5ade",
                    "detail": "",
                },
            },
            Conflict,
            f"IP address 10.20.0.50 already allocated in subnet 5ade (HTTP 409, {REQUEST_ID})",
        ),
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Policy doesn't allow os_compute_api:os-aggregates:create to be performed.",
                },
            },
            Forbidden,
            (
                f"Policy doesn't allow os_compute_api:os-aggregates:create to be performed (HTTP 403, {REQUEST_ID}). "
                "The account's roles in this project do not allow it."
            ),
        ),
        (
            401,
            {
                "error": {
                    "code": 401,
                    "title": "Unauthorized",
                    "message": "The request you have made requires authentication.",
                },
            },
            Unauthorized,
            (f"The request you have made requires authentication (HTTP 401, {REQUEST_ID})"),
        ),
        (
            404,
            {
                "message": "The resource could not be found.<br /><br />\n\n\n",
                "code": "404 Not Found",
                "title": "Not Found",
            },
            NotFound,
            f"The resource could not be found (HTTP 404, {REQUEST_ID})",
        ),
        (
            413,
            {
                "message": "The body of your request was too large for this server.<br /><br />\nRequest is too "
                "large.\n\n",
                "code": "413 Request Entity Too Large",
                "title": "Request Entity Too Large",
            },
            ApiError,
            f"The body of your request was too large for this server. Request is too large (HTTP 413, {REQUEST_ID})",
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute description. Value: a <b> x<br />. 'a <b> x<br />' "
                    "does not match '^[^<>]*$'",
                },
            },
            BadRequest,
            (
                "Invalid input for description 'a <b> x<br />': 'a <b> x<br />' does not match '^[^<>]*$' "
                f"(HTTP 400, {REQUEST_ID})"
            ),
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1",
                },
            },
            BadRequest,
            f"Invalid input for size '0': 0 is less than the minimum of 1 (HTTP 400, {REQUEST_ID})",
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute server. Value: {'name': 'x', 'flavorRef': "
                    "'101'}. Additional properties are not allowed ('colour' was unexpected)",
                },
            },
            BadRequest,
            (
                "Invalid input for server: Additional properties are not allowed ('colour' was unexpected) "
                f"(HTTP 400, {REQUEST_ID})"
            ),
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute metadata. Value: {'c/d': '3'}. 'c/d' does not "
                    "match any of the regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'",
                },
            },
            BadRequest,
            (
                "Invalid input for metadata: 'c/d' does not match any of the regexes: "
                f"'^[a-zA-Z0-9-_:. ]{{1,255}}$' (HTTP 400, {REQUEST_ID})"
            ),
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "'identity' is a required property\n\nFailed validating 'required' in schema:\n  {}",
                    "title": "Bad Request",
                },
            },
            BadRequest,
            f"'identity' is a required property (HTTP 400, {REQUEST_ID})",
        ),
        (
            500,
            {
                "computeFault": {
                    "code": 500,
                    "message": "Unexpected API Error. Please report this.\n<class 'oslo_messaging.RemoteError'>",
                },
            },
            ServerError,
            f"Unexpected API Error. Please report this. <class 'oslo_messaging.RemoteError'> (HTTP 500, {REQUEST_ID})",
        ),
        (
            502,
            "<html>\n<head><title>502 Bad Gateway</title></head><body>…</body></html>",
            ServerError,
            f"502 Bad Gateway (HTTP 502, {REQUEST_ID})",
        ),
        (504, "<html><body>no title</body></html>", ServerError, f"Gateway Timeout (HTTP 504, {REQUEST_ID})"),
        (503, "", ServerError, f"Service Unavailable (HTTP 503, {REQUEST_ID})"),
        (500, '{"computeFault": {"mess', ServerError, f"Internal Server Error (HTTP 500, {REQUEST_ID})"),
        (500, [], ServerError, f"Internal Server Error (HTTP 500, {REQUEST_ID})"),
        (503, "upstream connect error", ServerError, f"upstream connect error (HTTP 503, {REQUEST_ID})"),
        (
            413,
            {"error": {"code": "EVS.5413", "message": "Insufficient volume resources."}},
            QuotaExceeded,
            f"Insufficient volume resources (HTTP 413, {REQUEST_ID}). Free resources or request a higher quota.",
        ),
        (
            400,
            {"error": {"code": "EVS.1042", "message": "volume gigabytes exceeded the limit!"}},
            QuotaExceeded,
            f"volume gigabytes exceeded the limit! (HTTP 400, {REQUEST_ID}). Free resources or request a higher quota.",
        ),
        (429, {"error": "slow down"}, TooManyRequests, f"slow down (HTTP 429, {REQUEST_ID})"),
        (400, {"NeutronError": "a plain text"}, BadRequest, f"a plain text (HTTP 400, {REQUEST_ID})"),
        (409, {"badRequest": {"message": None}}, Conflict, f"Conflict (HTTP 409, {REQUEST_ID})"),
        (499, {}, ApiError, f"Unknown status (HTTP 499, {REQUEST_ID})"),
    ],
)
def test_error_body_is_converted_to_one_line(status: int, body: Any, error_class: type[ApiError], text: str) -> None:
    """The message contains the API's message, the status, the request id and, for some errors, a hint."""
    error = _error(status, body)
    assert type(error) is error_class
    assert str(error) == text


@pytest.mark.parametrize("error", [ConfigurationError("a\n\tb\x1b[2J"), BadRequest(400, "a\n\tb\x1b[2J", "req-1")])
def test_error_is_one_line(error: EcsError) -> None:
    """Whatever a message contains, such as the value of a setting."""
    assert error.args[-1] == "a b [2J"
    assert str(error).isprintable()


def test_error_attributes() -> None:
    """An error has attributes for status, the API's name for the error, method, path and Retry-After."""
    error = _error(404, {"itemNotFound": {"message": "…"}}, headers={"Retry-After": "5"})
    assert (error.status, error.body_type, error.method, error.path) == (
        404,
        "itemNotFound",
        "POST",
        "/v2.1/p/servers",
    )
    assert error.request_id == REQUEST_ID
    assert error.retry_after == 5


@pytest.mark.parametrize(
    "body",
    [
        {"message": "API not found", "request_id": "r-1"},
        {"error_msg": "The API does not exist", "error_code": "APIGW.0101", "request_id": "r-1"},
    ],
)
def test_gateway_does_not_know_the_request(body: Any) -> None:
    """A 404 of the cloud's gateway does not mean that the object is gone, whatever headers it has."""
    for headers in ({}, {"X-Openstack-Request-Id": ""}):
        error = _error(404, body, headers=headers)
        assert type(error) is NotOffered
        assert not isinstance(error, NotFound)
        assert "the cloud does not offer it" in str(error)


def test_retry_after_accepts_date() -> None:
    """Retry-After is a date or a number of seconds; an invalid value is ignored."""
    seconds = _error(503, "", headers={"Retry-After": formatdate(usegmt=True)}).retry_after
    assert seconds is not None
    assert seconds < 5
    assert _error(503, "", headers={"Retry-After": "soon"}).retry_after is None


@pytest.mark.parametrize("minutes", [-10, 10])
def test_retry_after_is_relative_to_clock_of_cloud(minutes: int) -> None:
    """A date in Retry-After is compared with the Date header, because the local clock may differ by minutes."""
    now = time.time() + 60 * minutes
    headers = {"Retry-After": formatdate(now + 7, usegmt=True), "Date": formatdate(now, usegmt=True)}
    assert _error(503, "", headers=headers).retry_after == 7.0


@pytest.mark.parametrize("header", ["86400", formatdate(time.time() + 86400, usegmt=True)], ids=["seconds", "date"])
def test_retry_after_is_limited(header: str) -> None:
    """No request and no poll waits for longer than five minutes."""
    assert _error(429, "", headers={"Retry-After": header}).retry_after == 300.0


@pytest.mark.parametrize(
    "sent",
    [
        {"server": {"adminPass": "s3cr3t-Pass"}},
        {"server": {"user_data": "s3cr3t-Pass"}},
        {"server": {"personality": [{"path": "/etc/x", "contents": "s3cr3t-Pass"}]}},
        {"auth": {"identity": {"password": {"user": {"password": "s3cr3t-Pass"}}}}},
        {"auth": {"identity": {"token": {"id": "s3cr3t-Pass"}}}},
        {"changePassword": {"adminPass": "s3cr3t-Pass"}},
    ],
)
@pytest.mark.parametrize(
    "message",
    [
        "Invalid input for field/attribute x. Value: s3cr3t-Pass. 's3cr3t-Pass' is not a 'base64'",
        "What is s3cr3t-Pass?",
        "Token gAAAAA-secret-token is not valid; s3cr3t-Pass",
    ],
)
def test_secrets_of_request_are_removed_from_message(sent: Any, message: str) -> None:
    """If the API repeats passwords, user data, file contents or tokens of the request, they are replaced."""
    text = str(_error(400, {"badRequest": {"message": message}}, sent=sent))
    assert "s3cr3t-Pass" not in text
    assert "secret-token" not in text
    assert "***" in text


def test_secrets_of_signed_request_are_removed_from_message() -> None:
    """A gateway may repeat the request that was signed, and the header with the signature; the key's id is kept."""
    signed = "SDK-HMAC-SHA256 Access=AKID, SignedHeaders=host;x-security-token, Signature="
    sent = {"X-Security-Token": "temporary-token", "Authorization": f"{signed}0a1b2c3d"}
    message = f"verify fail: host:nova.test|x-security-token:temporary-token||{signed}0a1b2c3d"
    error = _error(401, {"error_msg": message, "error_code": "APIGW.0301"}, sent_headers=sent)
    assert error.message == f"verify fail: host:nova.test|x-security-token:***||{signed}***"


def test_short_secret_is_replaced_only_if_quoted() -> None:
    """A password of one letter is replaced if it is quoted, but not inside other words."""
    error = _error(400, {"badRequest": {"message": "bad value 'a' for adminPass"}}, sent={"server": {"adminPass": "a"}})
    assert error.message == "bad value *** for adminPass"


def test_long_value_is_shortened() -> None:
    """A message shows the beginning of a refused key, so that its end is not cut off; ids and addresses are whole."""
    key, address = "A" * 900, f"https://cloud.example/v2.0/{'b' * 100}"
    error = _error(400, {"badRequest": {"message": f"'ssh-rsa {key}' at {address} is too long"}})
    assert error.message == f"'ssh-rsa {'A' * 100}… at {address} is too long"


def test_long_message_is_truncated() -> None:
    """A message has at most 600 characters."""
    assert len(_error(500, {"computeFault": {"message": "x " * 5000}}).message) == 600


def test_messages_of_other_errors() -> None:
    """Timeouts, failed operations, unsupported features and failed lookups have one-line messages."""
    assert str(WaitTimeout("Server web to be ACTIVE", "BUILD: spawning", 1800.4, "req-1")) == (
        "Gave up waiting for Server web to be ACTIVE after 1800 s; last status: BUILD: spawning (req-1). "
        "Increase the timeout with custom_timeouts."
    )
    assert str(OperationFailed("Server web", "No valid\nhost")) == "Server web: No valid host"
    assert str(OperationFailed("Server web", None)) == "Server web: the cloud recorded no reason"
    assert str(Unsupported("tags", "2.26", "v2")) == "tags needs 2.26; this cloud offers v2"
    assert str(NotUnique(["a", "b"])) == "2 match, expected one: a, b"
    assert str(NoMatch([str(number) for number in range(12)])) == (
        "No match; available: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    )
    assert str(NoMatch([])) == "No match; none available"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("Only volume-backed servers are allowed for flavors with zero disk.", "The flavor has no disk: boot from"),
        ("It is not allowed to create an interface on external network 5ade", "Connect the server to a network of the"),
        (
            "The maximum allowed number of disk devices (26) to attach to a single instance has been exceeded.",
            "Detach a volume that the server does not need",
        ),
        ("Personality file limit exceeded", "Shorten `personality`"),
        ("Personality file content exceeds maximum 10240", "Shorten `personality`"),
        ("Maximum number of metadata items exceeds 128", "Shorten `metadata`"),
        ("Policy doesn't allow os_compute_api:servers:create to be performed.", "The account's roles in this project"),
    ],
)
def test_hint_for_403_of_nova_that_is_not_about_roles(message: str, hint: str) -> None:
    """Nova also answers 403 to impossible requests. Only for a policy violation does the hint mention roles."""
    error = _error(403, {"forbidden": {"code": 403, "message": message}})
    assert isinstance(error, Forbidden)
    assert str(error).startswith(f"{message.rstrip('.')} (HTTP 403, {REQUEST_ID}). {hint}")


@pytest.mark.parametrize("status", [403, 407])
def test_hint_for_403_or_407_of_proxy(status: int) -> None:
    """An HTML page without a request id comes from a proxy, so the hint names the proxy variables."""
    page = "<html><head><title>ERROR: Access Denied</title></head></html>"
    error = _error(status, page, headers={"X-Openstack-Request-Id": "", "Content-Type": "text/html"})
    assert str(error).startswith(f"ERROR: Access Denied (HTTP {status}). The response came from a proxy, not from the")
    assert "NO_PROXY" in error.hint


def test_code_of_error_is_its_type() -> None:
    """A code of Open Telekom Cloud is the type of the error, in either format; Keystone's number is none."""
    body = {"code": "EVS.1036", "message": "invalid availability zone!"}
    assert _error(400, {"error": body}).body_type == "EVS.1036"
    assert _error(400, {"badRequest": body}).body_type == "EVS.1036"
    keystone = {"error": {"code": 400, "message": "…", "title": "Bad Request"}}
    assert _error(400, keystone).body_type == "Bad Request"
    assert _error(400, {"badRequest": {"code": "400", "message": "…"}}).body_type == "badRequest"


def test_missing_volume_without_request_id_is_not_found() -> None:
    """The code shows that the service itself answered, although the response has no request id."""
    body = {"error": {"code": "EVS.5404", "message": "Volume 11 could not be found."}}
    error = _error(404, body, headers={"X-Openstack-Request-Id": ""})
    assert (type(error), str(error)) == (NotFound, "Volume 11 could not be found (HTTP 404)")


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (413, "EVS.5413", "Insufficient volume quota."),
        (400, "EVS.1034", "volume count exceeded volume count quota!"),
        (400, "EVS.1042", "volume gigabytes exceeded volume gigabytes quota!"),
    ],
)
def test_codes_of_exceeded_quotas(status: int, code: str, message: str) -> None:
    """A volume beyond a quota of Open Telekom Cloud is an exceeded quota, whatever the status."""
    error = _error(status, {"error": {"code": code, "message": message}})
    assert isinstance(error, QuotaExceeded)
    assert str(error).endswith("Free resources or request a higher quota.")


@pytest.mark.parametrize(
    ("status", "code", "message", "hint"),
    [
        (400, "EVS.1010", "invalid volume size!", "An empty volume has 10 to 32768 GiB"),
        (400, "EVS.2072", "Volume type [SSD] in availability zone [AZ1] is sold out !", "Choose another `volume_type`"),
        (403, "EVS.5403", "metadata can not be operated.", "only be chosen when the volume is created"),
    ],
)
def test_codes_are_explained(status: int, code: str, message: str, hint: str) -> None:
    """The error of a known code says what to do, and blames no role for it."""
    text = str(_error(status, {"error": {"code": code, "message": message}}))
    assert hint in text
    assert "roles" not in text


SCHEMA = "Invalid input for field/attribute server. Value: {'name': 'x'}. "


@pytest.mark.parametrize(
    ("message", "attributes"),
    [
        ("Unrecognized attribute(s) 'description, mtu'", ["description", "mtu"]),
        ("Attribute 'tags' not allowed in POST", ["tags"]),
        ("Cannot update read-only attribute gateway_ip", ["gateway_ip"]),
        (f"{SCHEMA}Additional properties are not allowed ('tags', 'hostname' were unexpected)", ["tags", "hostname"]),
        ("Additional properties are not allowed ('tag' was unexpected)", ["tag"]),
        ("Invalid input for description. Reason: characters '<' and '>' are not allowed.", []),
        ("Invalid input for description. Reason: 'unknown x' contains unsupported characters.", []),
        ("Invalid input for name. Reason: 'Unrecognized attribute(s) 'description'' exceeds the limit.", []),
        ("Network Attribute 'tags' not allowed in POST could not be found.", []),
        ("The description is not supported", []),
    ],
)
def test_unknown_attributes_are_told_from_refused_values(message: str, attributes: list[str]) -> None:
    """Only the wording for an attribute that the API does not have names one; a value in a message never does."""
    neutron = _error(400, {"NeutronError": {"type": "HTTPBadRequest", "message": message, "detail": ""}})
    nova = _error(400, {"badRequest": {"code": 400, "message": message}})
    assert unknown_attributes(neutron) == unknown_attributes(nova) == attributes
    assert unknown_attributes(_error(409, {"conflictingRequest": {"code": 409, "message": message}})) == []


@pytest.mark.parametrize(
    ("message", "attribute"),
    [
        ("Invalid input for field/attribute networks. Value: auto. 'auto' is not of type 'array'", "networks"),
        ("Invalid input for field/attribute name. 'x' is too long", "name"),
        ("Invalid input for name. Reason: 'Invalid input for networks' is too long.", "name"),
        ("No valid host was found for the networks", None),
    ],
)
def test_invalid_attribute_is_the_one_of_the_schema(message: str, attribute: str | None) -> None:
    """The attribute is the one whose value does not fit, not a word of the message or of a value."""
    assert invalid_attribute(_error(400, {"badRequest": {"code": 400, "message": message}})) == attribute


@pytest.mark.parametrize(
    ("status", "message", "is_unknown"),
    [
        (400, "There is no such action: os-retype. Verify the request body and try again.", True),
        (400, "Volume 'no such action' is in use", False),
        (409, "There is no such action: os-retype", False),
    ],
)
def test_unknown_action_is_told_from_a_refused_one(status: int, message: str, is_unknown: bool) -> None:  # noqa: FBT001
    """Only the wording of Nova and Cinder for an action that they do not have counts."""
    assert is_unknown_action(_error(status, {"badRequest": {"code": status, "message": message}})) is is_unknown
