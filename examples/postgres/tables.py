"""Create the tables in the database at POTTERY_DATABASE_URL: `python tables.py`. A project of yours uses migrations."""

import os

import psycopg

from switchboard.toolkit.sql import WRITES_TABLE

TABLES = """
CREATE TABLE stock (
    item text PRIMARY KEY,
    pieces integer NOT NULL CONSTRAINT stock_not_sold_out CHECK (pieces >= 0)
);
CREATE TABLE orders (
    number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id text NOT NULL,
    item text NOT NULL REFERENCES stock,
    pieces integer NOT NULL
);
INSERT INTO stock VALUES ('mug', 12), ('bowl', 5), ('plate', 0);
"""

if __name__ == "__main__":
    with psycopg.connect(os.environ["POTTERY_DATABASE_URL"]) as connection:
        connection.execute(WRITES_TABLE)
        connection.execute(TABLES)
