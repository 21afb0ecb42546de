# One image for each service:
#   docker build --build-arg SERVICE=bank --tag ghcr.io/switchboard-mesh/switchboard-bank:0.1.0 .
# `tilt up` builds `--target dev`, which has all sources and restarts the service when one changes. See docs/operate/images.md.

# Tags can move. To build on an exact base image, pass its digest: --build-arg BASE=docker.io/library/python@sha256:…
ARG BASE=docker.io/library/python:3.11.15-slim-trixie

# uv, pinned by hash, separate from the packages that it installs.
FROM ${BASE} AS uv
WORKDIR /build
COPY requirements/bootstrap.txt requirements/bootstrap.txt
RUN python -m venv /opt/uv
RUN /opt/uv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt

# The packages of every service, in a layer that all images share. There is no compiler, so nothing is built from source.
FROM uv AS shared
ENV PATH=/opt/uv/bin:${PATH} \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_PYTHON_DOWNLOADS=never \
    PYC_INVALIDATION_MODE=UNCHECKED_HASH
COPY requirements requirements
RUN uv venv --quiet /opt/venv
RUN uv pip sync --quiet --python /opt/venv --require-hashes --no-build --compile-bytecode requirements/services.txt

# A service with its own extra has its own pins.
FROM shared AS packages
ARG SERVICE
RUN if test -f requirements/${SERVICE}.txt; then \
      uv pip sync --quiet --python /opt/venv --require-hashes --no-build --compile-bytecode requirements/${SERVICE}.txt; \
    fi

FROM packages AS packages-live
RUN uv pip install --quiet --python /opt/venv --require-hashes --no-build -r requirements/live.txt

# The files of this service, and the other files that it imports.
FROM ${BASE} AS files
WORKDIR /build
COPY scripts/image_tree.py scripts/image_tree.py
COPY mesh.toml mesh.toml
COPY switchboard switchboard
COPY services services
ARG SERVICE
RUN python scripts/image_tree.py "${SERVICE}" /app
RUN python -m compileall -q --invalidation-mode unchecked-hash /app

# No pip, no root, no files that change the user (setuid, setgid). HOME is /tmp, which is writable even with a read-only root file system.
FROM ${BASE} AS runtime
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin switchboard \
    && python -m pip uninstall --quiet --yes --root-user-action ignore setuptools wheel pip \
    && rm -rf /usr/local/lib/python3.*/ensurepip /usr/local/bin/pip* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} +
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
# Sends SIGINT first, so that the service has some seconds to finish its work.
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
# The shell inserts the name and is replaced by Python (`exec`), so SIGTERM reaches Python.
ENTRYPOINT ["/bin/sh", "-c", "exec python -m switchboard.run ${SERVICE}"]
