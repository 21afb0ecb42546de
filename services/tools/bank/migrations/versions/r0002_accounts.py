"""The bank's customers, accounts and transactions, which the mesh reads, and the current balances."""

from alembic import op

revision = "r0002"
down_revision = "r0001"

CUSTOMERS = """
CREATE TABLE bank_customers (
    customer_id text PRIMARY KEY,
    name text NOT NULL,
    name_words text[] NOT NULL,
    currency char(3) NOT NULL,
    records_from date NOT NULL
);
CREATE INDEX bank_customers_name_words ON bank_customers USING gin (name_words);
COMMENT ON COLUMN bank_customers.name_words IS 'Every spelling of each word of the name, in basic letters.';
COMMENT ON COLUMN bank_customers.records_from IS 'First day of the transactions.';
"""

ACCOUNTS = """
CREATE TABLE bank_accounts (
    customer_id text NOT NULL REFERENCES bank_customers,
    account text NOT NULL,
    position smallint NOT NULL DEFAULT 0,
    iban text NOT NULL CONSTRAINT bank_accounts_iban UNIQUE,
    currency char(3) NOT NULL,
    balance numeric(14, 2) NOT NULL,
    balance_at timestamptz NOT NULL,
    overdraft_limit numeric(14, 2),
    CONSTRAINT bank_accounts_pkey PRIMARY KEY (customer_id, account)
);
COMMENT ON COLUMN bank_accounts.balance IS 'Balance at the time balance_at. See the view bank_balances.';
"""

TRANSACTIONS = """
CREATE TABLE bank_transactions (
    customer_id text NOT NULL,
    transaction_id text NOT NULL,
    account text NOT NULL,
    booked_at timestamptz NOT NULL,
    merchant text NOT NULL,
    category text NOT NULL,
    amount numeric(14, 2) NOT NULL CONSTRAINT bank_transactions_amount CHECK (amount <> 0),
    reference text NOT NULL DEFAULT '',
    CONSTRAINT bank_transactions_pkey PRIMARY KEY (customer_id, transaction_id),
    CONSTRAINT bank_transactions_account FOREIGN KEY (customer_id, account) REFERENCES bank_accounts
);
CREATE INDEX bank_transactions_booked ON bank_transactions (customer_id, booked_at DESC);
COMMENT ON TABLE bank_transactions IS 'Transactions that the mesh did not make. Its own are in bank_moves.';
"""

BALANCES = """
CREATE VIEW bank_balances AS
SELECT *, booked + moved AS current
FROM (
    SELECT a.*,
        a.balance + coalesce((
            SELECT sum(t.amount) FROM bank_transactions AS t
            WHERE t.customer_id = a.customer_id AND t.account = a.account
                AND t.booked_at > a.balance_at AND t.booked_at <= now()
        ), 0) AS booked,
        coalesce((
            SELECT m.total FROM bank_totals AS m WHERE m.customer_id = a.customer_id AND m.account = a.account
        ), 0) AS moved
    FROM bank_accounts AS a
) AS summed;
COMMENT ON VIEW bank_balances IS 'booked: without the bookings of the mesh. current: with them.';
"""


def upgrade() -> None:
    for statement in (CUSTOMERS, ACCOUNTS, TRANSACTIONS, BALANCES):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP VIEW bank_balances")
    op.execute("DROP TABLE bank_transactions, bank_accounts, bank_customers")
