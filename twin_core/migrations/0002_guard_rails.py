"""Rows are held to their records, states to their lifecycle tables, roles to their rights."""

from django.db import migrations

from audit.api import Grant, RefuseChange, Regulated, Transitions
from twin_core.lifecycle import batch, recommendation, setpoint_write, table, trust

REGULATED = (
    "equipment",
    "configurationfile",
    "batch",
    "labresult",
    "quarantinedsample",
    "estimate",
    "forecast",
    "recommendation",
    "question",
    "setpointwrite",
)
WRITTEN_ONCE = ("labresult", "estimate", "forecast")  # the application only adds to them


def rights(model: str) -> dict[str, str]:
    application = "SELECT, INSERT" if model in WRITTEN_ONCE else "SELECT, INSERT, UPDATE"
    gate = {"recommendation": "SELECT, UPDATE", "setpointwrite": "SELECT, INSERT, UPDATE"}
    if model == "setpointwrite":
        application = "SELECT"
    return {"application": application, "gate": gate.get(model, "SELECT"), "auditor": "SELECT"}


def moves(model: str, column: str, lifecycle) -> Transitions:
    return Transitions(
        model,
        column=column,
        start=[str(state) for state in lifecycle.START],
        pairs=table.moves(lifecycle.TABLE),
    )


class Migration(migrations.Migration):
    dependencies = [("twin_core", "0001_initial"), ("audit", "0003_people")]

    operations = [
        *(Regulated(model) for model in REGULATED),
        *(Grant(model, **rights(model)) for model in REGULATED),
        moves("batch", "state", batch),
        moves("equipment", "trust", trust),
        moves("recommendation", "state", recommendation),
        moves("setpointwrite", "state", setpoint_write),
        RefuseChange("datasegment"),
        Grant("datasegment", application="SELECT, INSERT", gate="SELECT", auditor="SELECT"),
        Grant("journalsample", application="SELECT, INSERT, DELETE", gate="SELECT"),
        Grant("tagstatus", application="SELECT, INSERT, UPDATE", auditor="SELECT"),
        Grant(
            "servicestatus",
            application="SELECT, INSERT, UPDATE",
            gate="SELECT, INSERT, UPDATE",
            auditor="SELECT",
        ),
        Grant("outboxtask", application="SELECT, INSERT, UPDATE", gate="SELECT, UPDATE"),
    ]
