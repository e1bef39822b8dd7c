"""Every form in which Django or SQL would change a row without a word to the trail."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.apps import apps
from django.core import serializers
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat

from audit import api

Write = Callable[[], Any]


def other_than(value: Any) -> Any:
    """Return a value of the column's kind that the row does not have."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | Decimal):
        return value + 1
    return value + timedelta(days=1) if isinstance(value, datetime) else f"{value}x"


def column_of(model: Any) -> Any:
    """Return a plain column of a regulated model, one that an attacker would change."""
    plain = [
        field
        for field in model._meta.concrete_fields
        if not field.is_relation and field.attname != "id"
    ]
    texts = [field for field in plain if field.get_internal_type() in {"CharField", "TextField"}]
    return (texts or plain)[0]


def forms_of_writing(row: Any) -> dict[str, Write]:
    """Return the forms by name; each would change ``row``, add a copy of it or take it away."""
    return {**forms_of_django(row), **forms_of_sql(row)}


def forms_of_django(row: Any) -> dict[str, Write]:
    model, name = type(row), column_of(type(row)).attname
    value = getattr(row, name)
    manager, rows = model._default_manager, model._default_manager.filter(pk=row.pk)
    new = {name: other_than(value)}
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    follows = {name: F(name) + 1 if is_number else Concat(F(name), Value("x"))}
    historic = apps.get_model(model._meta.label)  # as a data migration gets it
    return {
        "update": lambda: rows.update(**new),
        "update by F": lambda: rows.update(**follows),
        "bulk_update": lambda: manager.bulk_update([changed(row, new)], [name]),
        "bulk_create": lambda: manager.bulk_create([copied(row)]),
        "bulk_create or update": lambda: manager.bulk_create(
            [changed(row, new)], update_conflicts=True, unique_fields=["id"], update_fields=[name]
        ),
        "save of Django's own": lambda: super(api.RegulatedModel, changed(row, new)).save(),
        "save_base": lambda: changed(row, new).save_base(raw=True),
        "queryset delete": rows.delete,
        "raw delete": lambda: rows._raw_delete(rows.db),
        "fixture": lambda: load_fixture(changed(row, new)),
        "data migration": lambda: historic.objects.filter(pk=row.pk).update(**new),
    }


def changed(row: Any, new: dict[str, Any]) -> Any:
    fresh = type(row)._default_manager.get(pk=row.pk)
    for name, value in new.items():
        setattr(fresh, name, value)
    return fresh


def copied(row: Any) -> Any:
    fresh = type(row)._default_manager.get(pk=row.pk)
    fresh.pk, fresh._state.adding = api.uuid7(), True
    return fresh


def load_fixture(row: Any) -> None:
    for one in serializers.deserialize("json", serializers.serialize("json", [row])):
        one.save()


def run(text: str, *given: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text, given)


def forms_of_sql(row: Any) -> dict[str, Write]:
    table, field, key = row._meta.db_table, column_of(type(row)), str(row.pk)
    column = connection.ops.quote_name(field.column)
    other = other_than(getattr(row, field.attname))
    update = f"UPDATE {table} SET {column} = %s WHERE id = %s"
    merge = (
        f"MERGE INTO {table} t USING (SELECT %s::uuid AS k) s ON t.id = s.k "
        f"WHEN MATCHED THEN UPDATE SET {column} = %s"
    )
    conflict = (
        f"INSERT INTO {table} SELECT * FROM {table} WHERE id = %s "
        f"ON CONFLICT (id) DO UPDATE SET {column} = %s"
    )
    return {
        "raw SQL": partial(run, update, other, key),
        "WITH": partial(run, f"WITH w AS ({update} RETURNING 1) TABLE w", other, key),
        "MERGE": partial(run, merge, key, other),
        "ON CONFLICT": partial(run, conflict, key, other),
        "TRUNCATE": partial(run, f"TRUNCATE {table} CASCADE"),
        "DO block": partial(run, f"DO $$ BEGIN DELETE FROM {table}; END $$"),
    }
