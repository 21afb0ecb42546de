#!/usr/bin/env bash
# Builds the image of every service. With PUSH=1 it pushes them to IMAGE_REGISTRY, each with an SBOM and its provenance,
# and writes their names with digests into dist/images.txt.
#   TAG              the images' tag; the project's version when empty
#   BASE             the base image by digest; the Dockerfile's own when empty
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

TAG=${TAG:-$(project_version)}
REVISION=$(git rev-parse HEAD)
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

arguments=(--build-arg VERSION="$TAG" --build-arg REVISION="$REVISION")
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
mkdir -p "$DIST"
: > "$DIST/images.txt"
for service in $services; do
  image=$(image_of "$service" "$TAG")
  # A cluster may have pods of this tag, and their journals belong to the code that they run.
  if docker buildx imagetools inspect "$image" > /dev/null 2>&1; then
    fail "$image is in the registry already. A tag is never pushed twice: raise the version."
  fi
  docker buildx build --push --sbom=true --provenance=mode=max --metadata-file "$DIST/image.json" \
    "${arguments[@]}" --build-arg SERVICE="$service" --tag "$image" .
  digest=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["containerimage.digest"])' "$DIST/image.json")
  rm "$DIST/image.json"
  echo "${image%:*}@$digest" | tee -a "$DIST/images.txt"
done
