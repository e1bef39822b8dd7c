"""The database's own copy of the lifecycle: a trigger generated from the table."""

from models_registry.lifecycle import Phase, phase_changes

FROZEN = ("model_id", "name", "card", "test_digest", "author_id", "author_name", "created_at")
MADE_IN_TRAINING = ("training_digest", "artefact_digest", "equations_digest")
NAME = "models_registry_modelversion_lifecycle"


def lifecycle_guard() -> str:
    """Return the SQL that lets a version move along the table alone, and keeps frozen columns.

    Whatever a record says: a new row starts drafted; what training made is set once, before the
    version is trained; scores and the opening of the test set belong to the phase ``trained``.
    """
    pairs = ", ".join(f"('{before}', '{after}')" for before, after in phase_changes())
    frozen = " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in FROZEN)
    made = " OR ".join(f"NEW.{name} <> OLD.{name}" for name in MADE_IN_TRAINING)
    was_made = " OR ".join(f"OLD.{name} <> ''" for name in MADE_IN_TRAINING)
    began = " OR ".join(f"NEW.{name} <> ''" for name in (*MADE_IN_TRAINING, "scores"))
    untrained = f"'{Phase.DRAFTED}', '{Phase.SPECIFIED}'"
    return f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql
SET search_path = public, pg_temp AS $guard$
DECLARE
    refusal text := NULL;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.phase <> '{Phase.DRAFTED}' OR NEW.test_openings <> 0 OR {began} THEN
            refusal := 'a new version starts drafted and untrained';
        END IF;
    ELSIF (OLD.phase, NEW.phase) NOT IN ({pairs}) THEN
        refusal := format('no act leads from %s to %s', OLD.phase, NEW.phase);
    ELSIF {frozen} THEN
        refusal := 'card, test set, name and author of a version are frozen';
    ELSIF ({made}) AND (NEW.phase NOT IN ({untrained}) OR OLD.phase <> NEW.phase OR {was_made}) THEN
        refusal := 'what training made is frozen';
    ELSIF OLD.phase = '{Phase.DRAFTED}' AND NEW.phase = '{Phase.SPECIFIED}'
            AND NEW.artefact_digest <> '' THEN
        refusal := 'training data were opened before the criteria were signed';
    ELSIF NEW.phase = '{Phase.TRAINED}' AND NEW.artefact_digest = '' THEN
        refusal := 'nothing was trained';
    ELSIF NEW.test_openings <> OLD.test_openings AND NOT (
            OLD.phase = '{Phase.TRAINED}' AND NEW.phase = OLD.phase
            AND NEW.test_openings = OLD.test_openings + 1) THEN
        refusal := 'a test set is opened once, by a trained version';
    ELSIF NEW.scores <> OLD.scores AND NOT (
            OLD.phase = '{Phase.TRAINED}' AND NEW.phase = OLD.phase
            AND OLD.scores = '' AND NEW.test_openings = 1) THEN
        refusal := 'scores are set once, after the test set was opened';
    ELSIF NEW.phase = '{Phase.VERIFIED}' AND NEW.scores = '' THEN
        refusal := 'nothing was scored';
    END IF;
    IF refusal IS NOT NULL THEN
        RAISE EXCEPTION 'model version %: %', NEW.name, refusal
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
