"""Who may do what, as two tables: permissions (`resource:action`, sorted) and the roles that hold them."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing that can be allowed. Named `resource:action`; keep the list sorted."""

    ALERT_ACT = "alert:act"  # acknowledge and resolve; reading alerts is part of model:read
    AUDIT_READ = "audit:read"
    GATEWAY_SERVE = "gateway:serve"  # be a gateway host: plan, keys' hashes and packages out, log in
    LABELS_WRITE = "labels:write"
    LOG_ERASE = "log:erase"  # a person, for ever
    LOG_READ = "log:read"
    METRICS_READ = "metrics:read"  # the gateway's numbers, which name every model
    MODEL_ANNOTATE = "model:annotate"
    MODEL_CREATE = "model:create"
    MODEL_READ = "model:read"
    MODEL_SUBMIT = "model:submit"
    MODEL_TIER = "model:tier"  # lower a tier; raising one is part of model:submit
    MODEL_TRUST = "model:trust"  # allow a global name that the scanner refuses
    MODEL_VALIDATE = "model:validate"
    PERSON_READ = "person:read"
    PERSON_WRITE = "person:write"  # people, grants, and other people's keys
    POLICY_READ = "policy:read"
    POLICY_WRITE = "policy:write"
    PREDICTION_CALL = "prediction:call"
    RELEASE_APPROVE = "release:approve"
    RELEASE_HOLD = "release:hold"
    RELEASE_PROMOTE = "release:promote"  # early, before the plan says so
    RELEASE_RESUME = "release:resume"
    RELEASE_ROLLBACK = "release:rollback"
    RELEASE_START = "release:start"


class RoleName(StrEnum):
    """A named set of permissions, granted per model or for all of them."""

    VIEWER = "viewer"
    CALLER = "caller"
    BUILDER = "builder"
    VALIDATOR = "validator"
    APPROVER = "approver"
    AUDITOR = "auditor"
    HOST = "host"  # a machine that runs the gateway, away from the control plane
    MONITOR = "monitor"  # what a metrics collector needs, and no more
    PIPELINE = "pipeline"  # lockgate itself, where it trains a model again: never an approver
    ADMIN = "admin"


_READ = frozenset({Permission.MODEL_READ, Permission.POLICY_READ})
_WATCH = _READ | {Permission.LOG_READ, Permission.PREDICTION_CALL, Permission.MODEL_ANNOTATE}
_BRAKE = frozenset(
    {Permission.ALERT_ACT, Permission.RELEASE_HOLD, Permission.RELEASE_ROLLBACK}
)  # lowers risk: given generously

ROLES: dict[RoleName, frozenset[Permission]] = {
    RoleName.VIEWER: _READ,
    RoleName.CALLER: frozenset({Permission.PREDICTION_CALL}),
    RoleName.BUILDER: _WATCH
    | _BRAKE
    | {
        Permission.LABELS_WRITE,
        Permission.MODEL_CREATE,
        Permission.MODEL_SUBMIT,
        Permission.MODEL_VALIDATE,
        Permission.RELEASE_PROMOTE,
        Permission.RELEASE_RESUME,
        Permission.RELEASE_START,
    },
    RoleName.VALIDATOR: _WATCH | _BRAKE | {Permission.MODEL_VALIDATE},
    RoleName.APPROVER: _WATCH
    | _BRAKE
    | {Permission.RELEASE_APPROVE, Permission.RELEASE_PROMOTE, Permission.RELEASE_RESUME},
    RoleName.AUDITOR: _READ
    | {Permission.AUDIT_READ, Permission.LOG_READ, Permission.METRICS_READ, Permission.PERSON_READ},
    RoleName.MONITOR: frozenset({Permission.METRICS_READ}),
    RoleName.HOST: frozenset({Permission.GATEWAY_SERVE}),
    RoleName.PIPELINE: _READ
    | {
        Permission.LOG_READ,
        Permission.MODEL_SUBMIT,
        Permission.MODEL_VALIDATE,
        Permission.RELEASE_START,
    },
    RoleName.ADMIN: frozenset(Permission),
}

SENTENCES: dict[Permission, str] = {
    Permission.ALERT_ACT: "acknowledge and resolve alerts",
    Permission.AUDIT_READ: "read the audit log",
    Permission.GATEWAY_SERVE: "serve models on a gateway host",
    Permission.LABELS_WRITE: "hand in labels",
    Permission.LOG_ERASE: "erase a person from the prediction log",
    Permission.LOG_READ: "read the prediction log",
    Permission.METRICS_READ: "read the gateway's metrics",
    Permission.MODEL_ANNOTATE: "write notes and tags",
    Permission.MODEL_CREATE: "create a model",
    Permission.MODEL_READ: "see a model",
    Permission.MODEL_SUBMIT: "submit versions",
    Permission.MODEL_TIER: "lower a model's tier",
    Permission.MODEL_TRUST: "allow names that the scanner refuses",
    Permission.MODEL_VALIDATE: "validate versions",
    Permission.PERSON_READ: "see people and their roles",
    Permission.PERSON_WRITE: "add people, grant roles and manage keys",
    Permission.POLICY_READ: "read policies",
    Permission.POLICY_WRITE: "write policies",
    Permission.PREDICTION_CALL: "call a model",
    Permission.RELEASE_APPROVE: "approve releases",
    Permission.RELEASE_HOLD: "hold a release",
    Permission.RELEASE_PROMOTE: "promote a release early",
    Permission.RELEASE_RESUME: "resume a release",
    Permission.RELEASE_ROLLBACK: "roll a release back",
    Permission.RELEASE_START: "start a release",
}


def roles_with(permission: Permission) -> list[RoleName]:
    """The roles that hold a permission, the narrowest first.

    >>> [str(role) for role in roles_with(Permission.RELEASE_APPROVE)]
    ['approver', 'admin']
    """
    return sorted(
        (role for role, held in ROLES.items() if permission in held), key=lambda role: len(ROLES[role])
    )
