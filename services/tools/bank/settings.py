"""Settings of the bank's tools, read from environment variables."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

DATABASE_URL = "BANK_DATABASE_URL"
"""Name of the variable below, which `Database` reads by itself."""


class BankSettings(BaseSettings):
    """Where the bank's bookings are kept."""

    database_url: SecretStr | None = Field(
        None,
        validation_alias="BANK_DATABASE_URL",
        description="PostgreSQL database for the bookings on accounts: postgresql://user:password@host/database. "
        "Without it, they are kept in Restate's state.",
    )
