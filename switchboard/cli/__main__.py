"""The `switchboard` command: names its subcommands and options, and hands over to the module that does the work."""

# ruff: noqa: PLC0415
# What a command needs is imported when it runs: `switchboard ask --help` then answers in 0.2 s and not in 0.7.

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from switchboard.cli.ask import Conversation
    from switchboard.runtime.mesh_file import MeshProject

app = typer.Typer(
    help="A mesh of customer-service agents that cannot lose a conversation.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

approvals = typer.Typer(
    help="What waits for a decision of staff.", no_args_is_help=True, context_settings=app.info.context_settings
)
app.add_typer(approvals, name="approvals")

cases = typer.Typer(
    help="Customers' matters that staff have taken over.",
    no_args_is_help=True,
    context_settings=app.info.context_settings,
)
app.add_typer(cases, name="cases")

FOLDER = Path(".switchboard")

Customer = Annotated[str, typer.Option(help="Who is speaking.")]
Session = Annotated[
    str | None,
    typer.Option(
        envvar="SWITCHBOARD_SESSION", help="The conversation; one a customer (demo-<customer>) when left out."
    ),
]
New = Annotated[
    bool, typer.Option("--new", help="Begin a new session, whatever --session says; its id is printed on stderr.")
]
NotSignedIn = Annotated[
    bool,
    typer.Option("--not-signed-in", help="As somebody who only says who they are; in a session of its own."),
]
ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="As `switchboard approvals list` shows it.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="As `switchboard cases list` shows it.")]
Outcome = Annotated[str, typer.Option(help="What became of it, in words that the customer may read.")]
By = Annotated[str, typer.Option(help="The staff member who does it.")]
Why = Annotated[str, typer.Option(help="The reason, in words that the customer may read.")]
IngressUrl = Annotated[str, typer.Option(envvar="RESTATE_INGRESS_URL", help="Where customers' messages come in.")]
Observed = Annotated[
    bool, typer.Option("--observe", help="Start an OpenTelemetry collector and Jaeger too, and send them every turn.")
]
AdminUrl = Annotated[str, typer.Option(envvar="RESTATE_ADMIN_URL", help="Restate's registry and SQL.")]

INGRESS_URL = "http://127.0.0.1:8080"
ADMIN_URL = "http://127.0.0.1:9070"


@app.command()
def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget all conversations and logs first.")] = False,
    folder: Annotated[Path, typer.Option(help="Keeps conversations and logs between runs.")] = FOLDER,
    ingress_port: int = 8080,
    admin_port: int = 9070,
    node_port: int = 5122,
    service_port_base: Annotated[
        int | None, typer.Option(help="The first of the services' ports, in place of those in mesh.toml.")
    ] = None,
    gateway_port: int = 8000,
    gateway_metrics_port: int = 9464,
    observe: Observed = False,
) -> None:
    """Start a mesh on this machine and keep it in the foreground."""
    from switchboard.cli.console import in_a_sentence
    from switchboard.cli.up import PortChoice
    from switchboard.cli.up import up as keep_up
    from switchboard.local.gateway import GatewayPorts

    gateway = GatewayPorts(gateway_port, gateway_metrics_port)
    with in_a_sentence():
        ports = PortChoice(ingress_port, admin_port, node_port, service_port_base, gateway)
        keep_up(this_mesh(), folder, fresh, ports, observe)


@app.command()
def token(
    customer: Customer = "alice",
    hours: Annotated[int, typer.Option(help="How long it is good.")] = 8,
    not_signed_in: NotSignedIn = False,
    folder: Annotated[Path, typer.Option(help="The folder of the mesh.")] = FOLDER,
) -> None:
    """Print a token for the gateway of a mesh on this machine."""
    from switchboard.cli.console import in_a_sentence, out
    from switchboard.local.gateway import local_token

    with in_a_sentence():
        out.out(local_token(folder, customer, hours, not not_signed_in), highlight=False)


@app.command()
def ask(
    text: Annotated[list[str] | None, typer.Argument(help="The message; - reads it from standard input.")] = None,
    session: Session = None,
    customer: Customer = "alice",
    new: New = False,
    interrupt: Annotated[
        bool, typer.Option("--interrupt", help="Stop the turn that runs, do not wait for it.")
    ] = False,
    not_signed_in: NotSignedIn = False,
    ingress_url: IngressUrl = INGRESS_URL,
    admin_url: AdminUrl = ADMIN_URL,
) -> None:
    """Send one message and print the reply. Exit code 3 when the reply is an apology."""
    from switchboard.cli.ask import ask_once, message_text
    from switchboard.cli.console import in_a_sentence

    with in_a_sentence():
        conversation = conversation_of(session, customer, new, ingress_url, admin_url, not not_signed_in)
        raise typer.Exit(ask_once(conversation, message_text(text), interrupt))


@app.command()
def chat(
    session: Session = None,
    customer: Customer = "alice",
    new: New = False,
    ingress_url: IngressUrl = INGRESS_URL,
    admin_url: AdminUrl = ADMIN_URL,
) -> None:
    """Talk with the mesh."""
    from switchboard.cli.chat import chat as talk
    from switchboard.cli.console import in_a_sentence

    with in_a_sentence():
        talk(conversation_of(session, customer, new, ingress_url, admin_url))


@app.command()
def interrupt(session: Session = None, customer: Customer = "alice", ingress_url: IngressUrl = INGRESS_URL) -> None:
    """Stop the turn that runs in a session. Its transcript says what was done and what was not."""
    from switchboard.cli.ask import interrupt_turn
    from switchboard.cli.console import in_a_sentence, out

    with in_a_sentence():
        stopped = asyncio.run(interrupt_turn(conversation_of(session, customer, False, ingress_url, ADMIN_URL)))
        out.print("Stopped." if stopped else "No turn runs in this session.")


@app.command()
def transcript(session: Session = None, customer: Customer = "alice", ingress_url: IngressUrl = INGRESS_URL) -> None:
    """Print what was said and done in a session."""
    from switchboard.cli.chat import turns_of
    from switchboard.cli.console import in_a_sentence, out
    from switchboard.cli.transcript import show

    with in_a_sentence():
        show(asyncio.run(turns_of(conversation_of(session, customer, False, ingress_url, ADMIN_URL))), customer, out)


@app.command()
def outbox(
    customer: Annotated[str | None, typer.Option(help="Only what was sent to this customer.")] = None,
    admin_url: AdminUrl = ADMIN_URL,
) -> None:
    """Print the e-mails that were sent. The outbox stands for a mail provider: nothing leaves this machine."""
    from switchboard.cli.console import in_a_sentence, out
    from switchboard.cli.outbox import sent_emails, show
    from switchboard.local.restate_server import Admin

    with in_a_sentence():
        show(asyncio.run(sent_emails(Admin(admin_url), customer)), out)


@app.command()
def sessions(admin_url: AdminUrl = ADMIN_URL) -> None:
    """List the conversations: whose they are, who answers, what runs and what waits for a yes."""
    from switchboard.cli.console import in_a_sentence, out
    from switchboard.cli.sessions import all_sessions, show
    from switchboard.local.restate_server import Admin

    with in_a_sentence():
        show(asyncio.run(all_sessions(Admin(admin_url))), out)


@approvals.command("list")
def list_approvals(ingress_url: IngressUrl = INGRESS_URL) -> None:
    """List what waits for a decision of staff, the oldest first."""
    from switchboard.cli.approvals import show, waiting
    from switchboard.cli.console import in_a_sentence, out

    with in_a_sentence():
        show(asyncio.run(waiting(ingress_url)), out)


@approvals.command()
def approve(approval_id: ApprovalId, by: By, why: Why, ingress_url: IngressUrl = INGRESS_URL) -> None:
    """Say yes. The customer is told, with the reason."""
    from switchboard.cli.approvals import decide
    from switchboard.cli.console import in_a_sentence, out

    with in_a_sentence():
        out.print(asyncio.run(decide(ingress_url, "approve", approval_id, by, why)), markup=False, highlight=False)


@approvals.command()
def reject(approval_id: ApprovalId, by: By, why: Why, ingress_url: IngressUrl = INGRESS_URL) -> None:
    """Say no. The customer is told, with the reason."""
    from switchboard.cli.approvals import decide
    from switchboard.cli.console import in_a_sentence, out

    with in_a_sentence():
        out.print(asyncio.run(decide(ingress_url, "reject", approval_id, by, why)), markup=False, highlight=False)


@cases.command("list")
def list_cases(ingress_url: IngressUrl = INGRESS_URL) -> None:
    """List the open cases, the oldest first."""
    from switchboard.cli.cases import open_cases, show
    from switchboard.cli.console import in_a_sentence, out

    with in_a_sentence():
        show(asyncio.run(open_cases(ingress_url)), out)


@cases.command("close")
def close_case(case_id: CaseId, by: By, outcome: Outcome, ingress_url: IngressUrl = INGRESS_URL) -> None:
    """Close a case. The customer is told what became of it."""
    from switchboard.cli.cases import close
    from switchboard.cli.console import in_a_sentence, out

    with in_a_sentence():
        out.print(asyncio.run(close(ingress_url, case_id, by, outcome)), markup=False, highlight=False)


@app.command()
def doctor(ingress_url: IngressUrl = INGRESS_URL, admin_url: AdminUrl = ADMIN_URL) -> None:
    """Say what is missing on this machine, and the command that mends it."""
    from switchboard.cli.doctor import doctor as examine

    raise typer.Exit(asyncio.run(examine(ingress_url, admin_url)))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The project's name, which is also the name of its new folder.")],
) -> None:
    """Make a folder with a mesh of your own: an agent, two tools, tests, an image and values for Kubernetes."""
    from switchboard.cli.console import in_a_sentence, out
    from switchboard.cli.new import new as make

    with in_a_sentence():
        out.print(make(name, Path.cwd()), markup=False, highlight=False, soft_wrap=True)


@app.command()
def values() -> None:
    """Print the values of the chart agent-mesh that mesh.toml decides: services, images and replicas."""
    from switchboard.cli.console import in_a_sentence, out
    from switchboard.cli.values import values_text

    with in_a_sentence():
        out.out(values_text(this_mesh().definition), end="", highlight=False)


@app.command()
def demo(
    folder: Annotated[Path | None, typer.Option(help="Keep the logs here; a temporary folder otherwise.")] = None,
    observe: Observed = False,
) -> None:
    """Play the conversations that mesh.toml names on a mesh of its own, check every reply, and end.

    With --observe, Jaeger stays until Ctrl-C, so that the turns can be looked at.
    """
    from switchboard.cli.console import in_a_sentence
    from switchboard.cli.demo import demo as play

    with in_a_sentence():
        raise typer.Exit(play(this_mesh(), folder, observe))


def this_mesh() -> "MeshProject":
    """The mesh whose folder this is. Raises InvalidCommand when mesh.toml is missing or wrong."""
    from switchboard.local.problem import InvalidCommand
    from switchboard.runtime.mesh_file import MeshFileError, MeshProject

    try:
        return MeshProject.find()
    except MeshFileError as error:
        raise InvalidCommand(str(error)) from error


def conversation_of(
    session: str | None, customer: str, new: bool, ingress_url: str, admin_url: str, signed_in: bool = True
) -> "Conversation":
    from switchboard.cli.ask import Conversation, default_session, new_session, tell_session

    chosen = new_session(customer) if new else session or default_session(customer, signed_in)
    if new:
        tell_session(chosen)
    return Conversation(chosen, customer, ingress_url, admin_url, signed_in)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
