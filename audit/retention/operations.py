"""The migration operation that takes the constraint off a key of a record."""

from typing import Any

from django.db import migrations, models
from django.db.migrations.exceptions import IrreversibleError

FOUND = """
SELECT conname FROM pg_constraint
WHERE conrelid = %s::regclass AND confrelid = 'audit_record'::regclass
  AND contype = 'f' AND conparentid = 0
  AND conkey = ARRAY[(SELECT attnum FROM pg_attribute
                      WHERE attrelid = %s::regclass AND attname = %s)]
"""


class LooseCitation(migrations.AlterField):
    """``LooseCitation("batch")``: a column that cites a record loses its constraint alone.

    Django would name the constraint's copies for each partition too, which fall with it.
    """

    def __init__(
        self, model_name: str, name: str = "record", *, is_single: bool = False, **options: Any
    ) -> None:
        self.given = [model_name, name], {"is_single": is_single, **options}
        kind = models.OneToOneField if is_single else models.ForeignKey
        field = kind(
            to="audit.record",
            on_delete=models.PROTECT,
            db_constraint=False,
            **{"related_name": "+", **options},
        )
        super().__init__(model_name, name, field)

    def deconstruct(self) -> Any:
        return type(self).__name__, *self.given

    def database_forwards(self, app_label: str, editor: Any, before: Any, after: Any) -> None:
        model = after.apps.get_model(app_label, self.model_name)
        table, column = model._meta.db_table, model._meta.get_field(self.name).column
        with editor.connection.cursor() as cursor:
            cursor.execute(FOUND, [table, table, column])
            names = [name for (name,) in cursor.fetchall()]
        for name in names:
            editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {editor.quote_name(name)}")

    def database_backwards(self, app_label: str, editor: Any, before: Any, after: Any) -> None:
        raise IrreversibleError("records may be dropped: no way back")
