"""The database's own copy of the lifecycle: a trigger generated from the table.

Whatever a record says: a version moves along the table alone, a new row starts drafted, what was
drafted stays, what training made is set once, and the test set is opened once, when trained.
"""

from models_registry.lifecycle import Phase, phase_changes

FROZEN = ("model_id", "name", "card", "test_digest", "author_id", "author_name", "created_at")
MADE_IN_TRAINING = ("training_digest", "artefact_digest", "equations_digest")
NAME = "models_registry_modelversion_lifecycle"
STAYS_TRAINED = f"OLD.phase = '{Phase.TRAINED}' AND NEW.phase = OLD.phase"


def _any(condition: str, columns: tuple[str, ...] = MADE_IN_TRAINING) -> str:
    return "(" + " OR ".join(condition.format(name) for name in columns) + ")"


def _rules() -> list[tuple[str, str]]:
    """Return (condition on OLD and NEW, why it is refused); the first that holds is told."""
    pairs = ", ".join(f"('{before}', '{after}')" for before, after in phase_changes())
    changed, was_made = _any("NEW.{0} <> OLD.{0}"), _any("OLD.{0} <> ''")
    may_train = f"NEW.phase IN ('{Phase.DRAFTED}', '{Phase.SPECIFIED}') AND OLD.phase = NEW.phase"
    opened_well = f"{STAYS_TRAINED} AND NEW.test_openings = OLD.test_openings + 1"
    scored_well = f"{STAYS_TRAINED} AND OLD.scores = '' AND NEW.test_openings = 1"
    return [
        (f"(OLD.phase, NEW.phase) NOT IN ({pairs})", "no act leads from %s to %s"),
        (
            _any("NEW.{0} IS DISTINCT FROM OLD.{0}", FROZEN),
            "card, test set, name and author of a version are frozen",
        ),
        (
            f"{changed} AND NOT ({may_train} AND NOT {was_made})",
            "what training made is frozen",
        ),
        (
            f"OLD.phase = '{Phase.DRAFTED}' AND NEW.phase = '{Phase.SPECIFIED}' "
            "AND NEW.artefact_digest <> ''",
            "training data were opened before the criteria were signed",
        ),
        (f"NEW.phase = '{Phase.TRAINED}' AND NEW.artefact_digest = ''", "nothing was trained"),
        (
            f"NEW.test_openings <> OLD.test_openings AND NOT ({opened_well})",
            "a test set is opened once, by a trained version",
        ),
        (
            f"NEW.scores <> OLD.scores AND NOT ({scored_well})",
            "scores are set once, after the test set was opened",
        ),
        (f"NEW.phase = '{Phase.VERIFIED}' AND NEW.scores = ''", "nothing was scored"),
    ]


def lifecycle_guard() -> str:
    """Return the SQL of the trigger: function and trigger, made again when they are there."""
    made = _any("NEW.{0} <> ''")
    began = f"NEW.phase <> '{Phase.DRAFTED}' OR NEW.test_openings <> 0 OR {made}"
    branches = "".join(
        f"    ELSIF {condition} THEN\n        refusal := '{words}';\n"
        for condition, words in _rules()
    )
    return f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
DECLARE
    refusal text := NULL;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF {began} OR NEW.scores <> '' THEN
            refusal := 'a new version starts drafted and untrained';
        END IF;
{branches}    END IF;
    IF refusal IS NOT NULL THEN
        RAISE EXCEPTION 'model version %: %', NEW.name, format(refusal, OLD.phase, NEW.phase)
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $guard$;
DROP TRIGGER IF EXISTS {NAME} ON models_registry_modelversion;
CREATE TRIGGER {NAME} BEFORE INSERT OR UPDATE ON models_registry_modelversion
    FOR EACH ROW EXECUTE FUNCTION {NAME}();
ALTER TABLE models_registry_modelversion ENABLE ALWAYS TRIGGER {NAME};
"""


REMOVE = f"""
DROP TRIGGER IF EXISTS {NAME} ON models_registry_modelversion;
DROP FUNCTION IF EXISTS {NAME}();
"""
