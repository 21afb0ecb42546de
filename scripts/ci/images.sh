#!/usr/bin/env bash
# Build the image of every service. With PUSH=1, push them to IMAGE_REGISTRY, each with an SBOM and provenance, and write
# their names with digests into dist/images.txt.
#   TAG              tag of the images; default: the project's version
#   BASE             base image by digest; default: the one in the Dockerfile. To push, that one by the digest that its
#                    registry has now, so that all images of a release have the same base
#   PLATFORMS        platforms to push, such as linux/amd64,linux/arm64; default: this machine's
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

TAG=${TAG:-$(project_version)}
REVISION=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

# Print the Dockerfile's base image by the digest that its registry has now.
base_by_digest() {
  local base digest
  base=$(sed -n 's/^ARG BASE=//p' Dockerfile)
  digest=$(docker buildx imagetools inspect "$base" --format '{{json .Manifest}}' \
    | python3 -c 'import json, sys; print(json.load(sys.stdin)["digest"])')
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || fail "The registry does not say the digest of $base."
  echo "${base%:*}@$digest"
}

arguments=(--build-arg VERSION="$TAG" --build-arg REVISION="$REVISION")
if test "${PUSH:-0}" = 1 && test -z "${BASE:-}"; then
  BASE=$(base_by_digest)
fi
if test -n "${BASE:-}"; then
  arguments+=(--build-arg BASE="$BASE")
fi
services=$(service_names)

if test "${PUSH:-0}" != 1; then
  for service in $services; do
    docker buildx build --load "${arguments[@]}" --build-arg SERVICE="$service" --tag "$(image_of "$service" "$TAG")" .
  done
  exit
fi

needs_registry
if test -n "${PLATFORMS:-}"; then
  arguments+=(--platform "$PLATFORMS")
fi
mkdir -p "$DIST"
: > "$DIST/images.txt"
for service in $services; do
  image=$(image_of "$service" "$TAG")
  # A cluster may run pods of this tag, and their journals fit only this code.
  if docker buildx imagetools inspect "$image" > /dev/null 2>&1; then
    fail "$image is already in the registry. Tags must not be pushed twice; raise the version."
  fi
  docker buildx build --push --sbom=true --provenance=mode=max --metadata-file "$DIST/image.json" \
    "${arguments[@]}" --build-arg SERVICE="$service" --tag "$image" .
  digest=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["containerimage.digest"])' "$DIST/image.json")
  rm "$DIST/image.json"
  echo "${image%:*}@$digest" | tee -a "$DIST/images.txt"
done
