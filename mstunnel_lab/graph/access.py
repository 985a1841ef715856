"""Graph below /identity/conditionalAccess: policies and their evaluation."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mstunnel_lab.entra import access, permissions
from mstunnel_lab.errors import directory_not_found
from mstunnel_lab.graph.bodies_access import EvaluateBody
from mstunnel_lab.graph.http import CREATED, caller_of, collection, entity, one, read_body, read_json, values
from mstunnel_lab.graph.lazy_entities import Documents
from mstunnel_lab.graph.odata import entity_type
from mstunnel_lab.state import lab_of
from mstunnel_setup.tenant.wire_access import ConditionalAccessPolicy

_CONTEXT: Final = "identity/conditionalAccess/policies"
_POLICY: Final = entity_type(
    "microsoft.graph.conditionalAccessPolicy", ConditionalAccessPolicy, filterable=("state",)
)


async def policies(request: Request) -> Response:
    """List or create policies."""
    lab, caller = lab_of(request), caller_of(request)
    if request.method == "POST":
        permissions.may_write_policies(caller)
        created = access.create_policy(lab, await read_json(request))
        return entity(request, created.document(), f"{_CONTEXT}/$entity", CREATED)
    permissions.may_read_policies(caller)
    documents = Documents(lab.store, ConditionalAccessPolicy, ConditionalAccessPolicy.document)
    return collection(request, documents, _POLICY, _CONTEXT)


async def policy(request: Request) -> Response:
    """Read, change or delete one policy."""
    lab, caller = lab_of(request), caller_of(request)
    allowed = permissions.may_read_policies if request.method == "GET" else permissions.may_write_policies
    allowed(caller)
    found = lab.store.get(ConditionalAccessPolicy, request.path_params["id"])
    if found is None:
        raise directory_not_found(request.path_params["id"])
    if request.method == "GET":
        return one(request, found.document(), _POLICY, f"{_CONTEXT}/$entity")
    if request.method == "DELETE":
        lab.store.remove(ConditionalAccessPolicy, found.id)
    else:
        access.change_policy(lab, found, await read_json(request))
    return Response(status_code=204)


async def evaluate(request: Request) -> Response:
    """Tell which policies would apply to a sign-in."""
    permissions.may_evaluate_policies(caller_of(request))
    found = access.evaluate(lab_of(request), await read_body(request, EvaluateBody))
    return values(request, [*found], "Collection(microsoft.graph.whatIfAnalysisResult)")


ROUTES = [
    Route("/identity/conditionalAccess/policies", policies, methods=["GET", "POST"]),
    Route("/identity/conditionalAccess/policies/{id}", policy, methods=["GET", "PATCH", "DELETE"]),
    Route("/identity/conditionalAccess/evaluate", evaluate, methods=["POST"]),
]
