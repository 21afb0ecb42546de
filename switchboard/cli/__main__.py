"""The `switchboard` command: subcommands and options. Other modules do the work."""

# ruff: noqa: PLC0415
# Each command imports its modules when it runs, so `switchboard ask --help` takes 0.2 s instead of 0.7 s.

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from switchboard.cli.additions import Addition

if TYPE_CHECKING:
    from switchboard.cli.ask import Conversation
    from switchboard.runtime.mesh_file import MeshProject

app = typer.Typer(
    help="Run, use and inspect a mesh of customer-service agents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

approvals = typer.Typer(
    help="Requests waiting for staff approval.", no_args_is_help=True, context_settings=app.info.context_settings
)
app.add_typer(approvals, name="approvals")

cases = typer.Typer(
    help="Customer cases that were transferred to staff.",
    no_args_is_help=True,
    context_settings=app.info.context_settings,
)
app.add_typer(cases, name="cases")

sessions = typer.Typer(context_settings=app.info.context_settings)
app.add_typer(sessions, name="sessions")

DEFAULT_FOLDER = Path(".switchboard")

Customer = Annotated[str, typer.Option(help="The customer's id.")]
Session = Annotated[
    str | None,
    typer.Option(
        envvar="SWITCHBOARD_SESSION", help="The session's id. By default each customer has one: demo-<customer>."
    ),
]
New = Annotated[
    bool, typer.Option("--new", help="Start a new session and print its id on stderr. Overrides --session.")
]
NotSignedIn = Annotated[
    bool,
    typer.Option(
        "--not-signed-in",
        help="Act as a customer who is not signed in. The gateway makes the id of the default session.",
    ),
]
ApprovalId = Annotated[str, typer.Argument(metavar="ID", help="Id of the request, from `switchboard approvals list`.")]
CaseId = Annotated[str, typer.Argument(metavar="ID", help="Id of the case, from `switchboard cases list`.")]
Outcome = Annotated[str, typer.Option(help="The outcome. The customer sees this text.")]
By = Annotated[
    str | None,
    typer.Option(
        help="The staff member, at a local mesh. Otherwise the token in SWITCHBOARD_STAFF_TOKEN says who it is."
    ),
]
GatewayUrl = Annotated[
    str, typer.Option(envvar="SWITCHBOARD_GATEWAY_URL", help="URL of the gateway, whose API the command uses.")
]
StaffFolder = Annotated[
    Path,
    typer.Option(
        "--folder",
        envvar="SWITCHBOARD_FOLDER",
        help="Folder of a local mesh, as given to `switchboard up --folder`. Used without SWITCHBOARD_STAFF_TOKEN.",
    ),
]
Note = Annotated[str, typer.Option(help="The note. The customer does not see it.")]
Why = Annotated[str, typer.Option(help="The reason. The customer sees this text.")]
Folder = Annotated[
    Path,
    typer.Option(
        envvar="SWITCHBOARD_FOLDER",
        help="Folder of a local mesh, as given to `switchboard up --folder`. Used without SWITCHBOARD_TOKEN.",
    ),
]
IngressUrl = Annotated[
    str, typer.Option(envvar="RESTATE_INGRESS_URL", help="URL of Restate's ingress, which accepts messages.")
]
Observed = Annotated[
    bool, typer.Option("--observe", help="Also start an OpenTelemetry collector and Jaeger, and trace every turn.")
]
AdminUrl = Annotated[
    str, typer.Option(envvar="RESTATE_ADMIN_URL", help="URL of Restate's admin API (service registry and SQL).")
]

INGRESS_URL = "http://127.0.0.1:8080"
ADMIN_URL = "http://127.0.0.1:9070"
GATEWAY_URL = "http://127.0.0.1:8000"


@app.command()
def up(
    fresh: Annotated[bool, typer.Option("--fresh", help="Delete all conversations and logs first.")] = False,
    folder: Annotated[
        Path, typer.Option(help="Folder for conversations and logs. They are kept between runs.")
    ] = DEFAULT_FOLDER,
    ingress_port: Annotated[int, typer.Option(help="Port of Restate's ingress.")] = 8080,
    admin_port: Annotated[int, typer.Option(help="Port of Restate's admin API and UI.")] = 9070,
    node_port: Annotated[int, typer.Option(help="Port of the Restate node.")] = 5122,
    service_port_base: Annotated[
        int | None,
        typer.Option(help="Give the services consecutive ports from this one, instead of those in mesh.toml."),
    ] = None,
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway.")] = 8000,
    gateway_metrics_port: Annotated[int, typer.Option(help="Port of the gateway's metrics.")] = 9464,
    observe: Observed = False,
) -> None:
    """Run a mesh on this machine until Ctrl-C."""
    from switchboard.cli.console import report_errors
    from switchboard.cli.up import PortChoice
    from switchboard.cli.up import up as keep_up
    from switchboard.local.gateway import GatewayPorts

    gateway = GatewayPorts(gateway_port, gateway_metrics_port)
    with report_errors():
        ports = PortChoice(ingress_port, admin_port, node_port, service_port_base, gateway)
        keep_up(current_project(), folder, fresh, ports, observe)


@app.command()
def token(
    customer: Customer = "alice",
    staff: Annotated[str | None, typer.Option(help="Make a token for this staff member instead of a customer.")] = None,
    hours: Annotated[int, typer.Option(help="Lifetime of the token in hours.")] = 8,
    not_signed_in: Annotated[
        bool, typer.Option("--not-signed-in", help="Make a token for a customer who is not signed in.")
    ] = False,
    folder: Annotated[
        Path, typer.Option(help="Folder of the mesh, as given to `switchboard up --folder`.")
    ] = DEFAULT_FOLDER,
) -> None:
    """Print a token for the gateway of a local mesh."""
    from switchboard.cli.console import out, report_errors
    from switchboard.local.gateway import local_staff_token, local_token

    with report_errors():
        made = (
            local_staff_token(folder, staff, hours)
            if staff
            else local_token(folder, customer, hours, not not_signed_in)
        )
        out.out(made, highlight=False)


@app.command()
def ask(
    text: Annotated[list[str] | None, typer.Argument(help="The message. Use - to read it from standard input.")] = None,
    session: Session = None,
    customer: Customer = "alice",
    new: New = False,
    interrupt: Annotated[
        bool, typer.Option("--interrupt", help="Stop the running turn instead of waiting for it.")
    ] = False,
    not_signed_in: NotSignedIn = False,
    folder: Folder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Send one message and print the reply. Exits with code 3 if the mesh could not answer."""
    from switchboard.cli.ask import ask_once, message_text
    from switchboard.cli.console import err, report_errors

    with report_errors():
        message = message_text(text)
        conversation = make_conversation(session, customer, new, folder, gateway_url, not not_signed_in)
        raise typer.Exit(ask_once(conversation, message, err, interrupt))


@app.command()
def chat(
    session: Session = None,
    customer: Customer = "alice",
    new: New = False,
    folder: Folder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Chat with the mesh in the terminal."""
    from switchboard.cli.chat import chat as talk
    from switchboard.cli.console import report_errors

    with report_errors():
        talk(make_conversation(session, customer, new, folder, gateway_url))


@app.command()
def interrupt(
    session: Session = None,
    customer: Customer = "alice",
    folder: Folder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Stop the running turn of a session. The transcript shows which tool calls completed."""
    from switchboard.cli.ask import interrupt_turn
    from switchboard.cli.console import out, report_errors

    with report_errors():
        conversation = make_conversation(session, customer, False, folder, gateway_url)
        stopped = asyncio.run(interrupt_turn(conversation))
        out.print("Stopped." if stopped else "No turn is running in this session.")


@app.command()
def transcript(
    session: Session = None,
    customer: Customer = "alice",
    folder: Folder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Print the messages and tool calls of a session."""
    from switchboard.cli.chat import turns_of
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.transcript import show

    with report_errors():
        conversation = make_conversation(session, customer, False, folder, gateway_url)
        show(asyncio.run(turns_of(conversation)), customer, out)


@app.command()
def outbox(
    customer: Annotated[str | None, typer.Option(help="Show only e-mails to this customer.")] = None,
    admin_url: AdminUrl = ADMIN_URL,
) -> None:
    """Print the e-mails in the outbox. The outbox replaces a mail provider: no e-mail is delivered."""
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.outbox import sent_emails, show
    from switchboard.local.restate_server import Admin

    with report_errors():
        show(asyncio.run(sent_emails(Admin(admin_url), customer)), out)


@sessions.callback(invoke_without_command=True)
def list_sessions(
    ctx: typer.Context,
    customer: Annotated[str | None, typer.Option(help="List only this customer's sessions.")] = None,
    text: Annotated[str | None, typer.Option(help="List only sessions with this text in the id.")] = None,
    gateway_url: GatewayUrl = GATEWAY_URL,
    admin_url: AdminUrl = ADMIN_URL,
) -> None:
    """List the newest sessions: each one's customer, agent, cost, running turn and pending confirmation.

    With SWITCHBOARD_STAFF_TOKEN, the list comes from the gateway; otherwise from Restate's admin API.
    """
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.sessions import newest_sessions, selected, show

    if ctx.invoked_subcommand is not None:
        return
    with report_errors():
        show(asyncio.run(newest_sessions(gateway_url, admin_url, selected(customer, text))), out)


@sessions.command("export")
def export_sessions(
    customer: Annotated[str | None, typer.Option(help="Export only this customer's sessions.")] = None,
    text: Annotated[str | None, typer.Option(help="Export only sessions with this text in the id.")] = None,
    folder: StaffFolder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Print conversations as JSON lines, with outcomes, ratings and costs. For evaluations."""
    from switchboard.cli.console import report_errors
    from switchboard.cli.export import export
    from switchboard.cli.sessions import selected
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        asyncio.run(export(StaffDesk(gateway_url, folder), selected(customer, text)))


@approvals.command("list")
def list_approvals(folder: StaffFolder = DEFAULT_FOLDER, gateway_url: GatewayUrl = GATEWAY_URL) -> None:
    """List the requests waiting for staff approval, oldest first."""
    from switchboard.cli.approvals import pending_approvals, show
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        show(asyncio.run(pending_approvals(StaffDesk(gateway_url, folder))), out)


@approvals.command()
def approve(
    approval_id: ApprovalId,
    why: Why,
    by: By = None,
    folder: StaffFolder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Approve a request. The customer is notified with the reason."""
    decide_approval("approve", approval_id, why, by, folder, gateway_url)


@approvals.command()
def reject(
    approval_id: ApprovalId,
    why: Why,
    by: By = None,
    folder: StaffFolder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Reject a request. The customer is notified with the reason."""
    decide_approval("reject", approval_id, why, by, folder, gateway_url)


def decide_approval(
    verdict: Literal["approve", "reject"], approval_id: str, why: str, by: str | None, folder: Path, gateway_url: str
) -> None:
    from switchboard.cli.approvals import decide
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        decided = asyncio.run(decide(StaffDesk(gateway_url, folder, by), verdict, approval_id, why))
        out.print(decided, markup=False, highlight=False)


@app.command("take-over")
def take_over(
    session: Annotated[str, typer.Argument(metavar="[SESSION]", help="The session's id.")] = "",
    case: Annotated[str, typer.Option("--case", help="Id of a case, instead of its session's.")] = "",
    taken_from: Annotated[str, typer.Option("--from", help="The colleague who answers in the session.")] = "",
    by: By = None,
    folder: StaffFolder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Answer a customer in the agents' place, until /back. The agents are silent meanwhile."""
    from switchboard.cli.console import report_errors
    from switchboard.cli.staff import StaffDesk
    from switchboard.cli.take_over import take_over as chat
    from switchboard.local.problem import InvalidCommand

    with report_errors():
        if bool(session) == bool(case):
            raise InvalidCommand("Give either a session or --case. `switchboard cases list` shows both.")
        asyncio.run(chat(StaffDesk(gateway_url, folder, by), session, case, taken_from))


@cases.command("list")
def list_cases(folder: StaffFolder = DEFAULT_FOLDER, gateway_url: GatewayUrl = GATEWAY_URL) -> None:
    """List the open cases, oldest first."""
    from switchboard.cli.cases import open_cases, show
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        show(asyncio.run(open_cases(StaffDesk(gateway_url, folder))), out)


@cases.command("show")
def show_case(case_id: CaseId, folder: StaffFolder = DEFAULT_FOLDER, gateway_url: GatewayUrl = GATEWAY_URL) -> None:
    """Show a case with its notes, open or closed."""
    from switchboard.cli.cases import read
    from switchboard.cli.cases import show_case as draw
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        draw(asyncio.run(read(StaffDesk(gateway_url, folder), case_id)), out)


@cases.command("transcript")
def case_transcript(
    case_id: CaseId, folder: StaffFolder = DEFAULT_FOLDER, gateway_url: GatewayUrl = GATEWAY_URL
) -> None:
    """Print the conversation in which a case was opened."""
    from switchboard.cli.cases import conversation_of
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk
    from switchboard.cli.transcript import show

    with report_errors():
        case, turns = asyncio.run(conversation_of(StaffDesk(gateway_url, folder), case_id))
        show(turns, case.customer_id, out)


@cases.command("note")
def note_case(
    case_id: CaseId,
    text: Note,
    by: By = None,
    folder: StaffFolder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Add a note to an open case. The customer does not see it."""
    from switchboard.cli.cases import add_note
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        noted = asyncio.run(add_note(StaffDesk(gateway_url, folder, by), case_id, text))
        out.print(noted, markup=False, highlight=False)


@cases.command("close")
def close_case(
    case_id: CaseId,
    outcome: Outcome,
    by: By = None,
    folder: StaffFolder = DEFAULT_FOLDER,
    gateway_url: GatewayUrl = GATEWAY_URL,
) -> None:
    """Close a case. The customer is notified of the outcome."""
    from switchboard.cli.cases import close
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.staff import StaffDesk

    with report_errors():
        closed = asyncio.run(close(StaffDesk(gateway_url, folder, by), case_id, outcome))
        out.print(closed, markup=False, highlight=False)


@app.command()
def doctor(ingress_url: IngressUrl = INGRESS_URL, admin_url: AdminUrl = ADMIN_URL) -> None:
    """Check this machine and its mesh. Prints how to fix each problem."""
    from switchboard.cli.doctor import doctor as examine

    raise typer.Exit(asyncio.run(examine(ingress_url, admin_url)))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the project and of its new folder.")],
    additions: Annotated[
        list[Addition] | None,
        typer.Option(
            "--with", help="Add an example: mcp, tools of an MCP server; postgres, a tool that writes to a database."
        ),
    ] = None,
) -> None:
    """Create a project with your own mesh. It has an agent, two tools, tests, a Dockerfile and Helm values."""
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.new import new as make

    with report_errors():
        out.print(make(name, Path.cwd(), additions or ()), markup=False, highlight=False, soft_wrap=True)


@app.command()
def values() -> None:
    """Print Helm values for this mesh. They set the services, images and replicas of the chart agent-mesh."""
    from switchboard.cli.console import out, report_errors
    from switchboard.cli.values import values_text

    with report_errors():
        out.out(values_text(current_project().definition), end="", highlight=False)


@app.command()
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the logs in this folder, which must be empty. Default: a temporary folder."),
    ] = None,
    observe: Observed = False,
) -> None:
    """Play the demo on a temporary mesh. The conversations are named in mesh.toml, and every reply is checked.

    With --observe, the mesh and Jaeger keep running until Ctrl-C, so that you can look at the traces.
    """
    from switchboard.cli.console import report_errors
    from switchboard.cli.demo import demo as play

    with report_errors():
        raise typer.Exit(play(current_project(), folder, observe))


def current_project() -> "MeshProject":
    """Return the project of the current folder. Raises InvalidCommand when mesh.toml is missing or invalid."""
    from switchboard.local.problem import InvalidCommand
    from switchboard.runtime.mesh_file import MeshFileError, MeshProject

    try:
        return MeshProject.find()
    except MeshFileError as error:
        raise InvalidCommand(str(error)) from error


def make_conversation(
    session: str | None, customer: str, new: bool, folder: Path, gateway_url: str, signed_in: bool = True
) -> "Conversation":
    from switchboard.cli.ask import (
        Conversation,
        default_session,
        guest_session,
        new_session,
        print_session_id,
        token_of,
    )

    token = token_of(folder, customer, signed_in)
    if session and not new:
        chosen = session
    elif signed_in:
        chosen = new_session(customer) if new else default_session(customer)
    else:
        chosen = guest_session(folder, customer, gateway_url, token, new)
    if new:
        print_session_id(chosen)
    return Conversation(chosen, customer, gateway_url, token)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
