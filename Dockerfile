# One image for each service:
#   docker build --build-arg SERVICE=bank --tag ghcr.io/switchboard-mesh/switchboard-bank:0.1.0 .
# `--target dev` is what `tilt up` builds: all sources, and a restart whenever one of them changes. docs/operate/images.md says more.

# A tag can be moved. To build on one exact base, name its digest: --build-arg BASE=docker.io/library/python@sha256:…
ARG BASE=docker.io/library/python:3.11.15-slim-trixie

# uv, by hash, apart from what it installs.
FROM ${BASE} AS uv
WORKDIR /build
COPY requirements/bootstrap.txt requirements/bootstrap.txt
RUN python -m venv /opt/uv
RUN /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

# What every service needs, in a layer that all images share. No sources are built: there is no compiler.
FROM uv AS shared
ENV PATH=/opt/uv/bin:${PATH} \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
COPY requirements requirements
RUN uv venv --quiet /opt/venv
RUN uv pip sync --quiet --python /opt/venv --require-hashes --no-build --compile-bytecode requirements/services.txt

# A service with an extra of its own has pins of its own.
FROM shared AS packages
ARG SERVICE
RUN if test -f requirements/${SERVICE}.txt; then \
      uv pip sync --quiet --python /opt/venv --require-hashes --no-build --compile-bytecode requirements/${SERVICE}.txt; \
    fi

FROM packages AS packages-live
RUN uv pip install --quiet --python /opt/venv --require-hashes --no-build -r requirements/live.txt

# The files of this service, and of others only what it imports.
FROM ${BASE} AS files
WORKDIR /build
COPY scripts/image_tree.py scripts/image_tree.py
COPY mesh.toml mesh.toml
COPY switchboard switchboard
COPY services services
ARG SERVICE
RUN python scripts/image_tree.py "${SERVICE}" /app
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

# No pip, no root. HOME is where anybody may write, also where the root file system is read-only.
FROM ${BASE} AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin switchboard \
    && python -m pip uninstall --quiet --yes --root-user-action ignore setuptools wheel pip \
    && rm -rf /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip*
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    HOST=0.0.0.0 \
    PORT=9080
WORKDIR /app
EXPOSE 9080
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/health', timeout=2)"]

FROM runtime AS dev
COPY --from=packages-live /opt/venv /opt/venv
COPY --chown=10001:10001 mesh.toml mesh.toml
COPY --chown=10001:10001 switchboard switchboard
COPY --chown=10001:10001 services services
ARG SERVICE
ENV SERVICE=${SERVICE}
# SIGINT first: a service has some seconds to end what runs.
ENTRYPOINT ["/bin/sh", "-c", "exec watchfiles --filter python --sigint-timeout 6 --ignore-permission-denied \"python -m switchboard.run ${SERVICE}\" /app"]

FROM runtime AS service
COPY --from=packages /opt/venv /opt/venv
COPY --from=files /app /app
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG BASE
ENV SERVICE=${SERVICE}
LABEL org.opencontainers.image.title="Switchboard ${SERVICE}" \
      org.opencontainers.image.description="The service ${SERVICE} of Switchboard, a mesh of customer-service agents." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${BASE}" \
      org.opencontainers.image.licenses="Apache-2.0"
# A shell puts the name in and is gone: SIGTERM reaches Python.
ENTRYPOINT ["/bin/sh", "-c", "exec python -m switchboard.run ${SERVICE}"]
