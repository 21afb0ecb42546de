"""The bank's moves and totals, and the keys of writes."""

from alembic import op

from switchboard.toolkit.sql import WRITES_TABLE

revision = "r0001"
down_revision = None

MOVES = """
CREATE TABLE bank_moves (
    customer_id text NOT NULL,
    move_id text NOT NULL,
    number bigint GENERATED ALWAYS AS IDENTITY,
    booked_at timestamptz,
    account text,
    amount numeric(14, 2),
    counterparty text,
    category text,
    reference text,
    limited boolean,
    called_off_at timestamptz,
    CONSTRAINT bank_moves_pkey PRIMARY KEY (customer_id, move_id),
    CONSTRAINT bank_moves_amount CHECK (amount <> 0),
    CONSTRAINT bank_moves_complete CHECK (
        num_nulls(booked_at, account, amount, counterparty, category, reference, limited) = 0
        OR (num_nonnulls(booked_at, account, amount, counterparty, category, reference, limited) = 0
            AND called_off_at IS NOT NULL)
    )
);
CREATE INDEX bank_moves_account ON bank_moves (customer_id, account) INCLUDE (amount) WHERE called_off_at IS NULL;
"""

TOTALS = """
CREATE TABLE bank_totals (
    customer_id text NOT NULL,
    account text NOT NULL,
    total numeric(14, 2) NOT NULL,
    CONSTRAINT bank_totals_pkey PRIMARY KEY (customer_id, account)
);
"""

# Applies at the COMMIT, when the moves and the total have both been changed.
ADD_UP = """
CREATE FUNCTION bank_totals_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed record;
BEGIN
    changed := coalesce(NEW, OLD);
    IF (SELECT coalesce(sum(total), 0) FROM bank_totals
        WHERE customer_id = changed.customer_id AND account = changed.account)
        IS DISTINCT FROM
       (SELECT coalesce(sum(amount), 0) FROM bank_moves
        WHERE customer_id = changed.customer_id AND account = changed.account AND called_off_at IS NULL)
    THEN
        RAISE EXCEPTION 'the total of an account is not the sum of its moves'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'bank_totals_add_up', TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NULL;
END
$$;
"""


def upgrade() -> None:
    for statement in (WRITES_TABLE, MOVES, TOTALS, ADD_UP):
        op.execute(statement)
    for table in ("bank_moves", "bank_totals"):
        op.execute(
            f"CREATE CONSTRAINT TRIGGER {table}_add_up AFTER INSERT OR UPDATE OR DELETE ON {table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bank_totals_add_up()"
        )


def downgrade() -> None:
    op.execute("DROP TABLE bank_moves, bank_totals, switchboard_writes")
    op.execute("DROP FUNCTION bank_totals_add_up")
