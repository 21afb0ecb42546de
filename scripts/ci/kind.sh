#!/usr/bin/env bash
# Test a mesh on a kind cluster: install the three charts, hold a conversation, upgrade the bank, remove everything.
#   scripts/ci/kind.sh            run all steps, then delete the cluster; after a failure, keep its logs
#   scripts/ci/kind.sh STEP...    create, images, install, smoke, upgrade, remove, logs, delete
# Needs docker, kind, kubectl, Python 3.11 or newer, and Go or a network to install helm. Uses its own kubeconfig and does
# not change yours.
#   CLUSTER          name of the cluster; default: switchboard-ci
#   KIND_NODE_IMAGE  image of the node, which decides the Kubernetes version; default: kind's
#   LOGS             folder for the step `logs`; default: kind-logs
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

CLUSTER=${CLUSTER:-switchboard-ci}
LOGS=${LOGS:-kind-logs}
mkdir -p .tools
export KUBECONFIG=$PWD/.tools/kubeconfig-$CLUSTER

# Two tags of the same images, because a new tag is a new version for Restate. They are in no registry.
IMAGE_REGISTRY=
FIRST=0.0.0-ci.1
SECOND=0.0.0-ci.2

create() {
  kind create cluster --name "$CLUSTER" --wait 3m ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"}
}

images() {
  TAG=$FIRST IMAGE_REGISTRY='' PUSH=0 scripts/ci/images.sh
  docker tag "$(image_of bank $FIRST)" "$(image_of bank $SECOND)"
  local service loaded=()
  for service in $(service_names); do
    loaded+=("$(image_of "$service" $FIRST)")
  done
  kind load docker-image --name "$CLUSTER" "${loaded[@]}" "$(image_of bank $SECOND)"
}

install() {
  "$HELM" dependency build deploy/helm/mesh-operator
  "$HELM" install mesh-operator deploy/helm/mesh-operator --namespace restate-operator --create-namespace \
    --wait --timeout 5m
  "$HELM" dependency build deploy/helm/mesh-platform
  "$HELM" install mesh-platform deploy/helm/mesh-platform --namespace mesh-platform --create-namespace \
    --values deploy/helm/mesh-platform/values-local.yaml --set restate.requestSigning.create=true --wait --timeout 10m
  kubectl wait --for=condition=Ready rsc/restate --timeout=10m
  "$HELM" install mesh deploy/helm/agent-mesh --namespace mesh --create-namespace \
    --values deploy/helm/agent-mesh/values-local.yaml --set image.registry= --set image.tag=$FIRST
  ready
  "$HELM" test mesh --namespace mesh --logs
}

# helm does not wait for RestateDeployments.
ready() {
  kubectl --namespace mesh wait --for=condition=Ready rsd --all --timeout=10m
  local deployment
  for deployment in $(kubectl --namespace mesh get deployments --output name); do
    kubectl --namespace mesh rollout status "$deployment" --timeout=5m
  done
}

# A conversation through the gateway, in a subshell, so that the port-forward always ends with it.
smoke() (
  token=$(kubectl --namespace mesh exec deployment/gateway -- python -m switchboard.gateway.token --customer alice)
  kubectl --namespace mesh port-forward service/gateway 18000:80 > /dev/null &
  forward=$!
  trap 'kill $forward 2> /dev/null || true' EXIT
  TOKEN=$token python3 scripts/smoke.py --gateway http://127.0.0.1:18000
)

# Print the version of a service that gets new invocations: Restate's id of the deployment.
deployment_of() {
  kubectl --namespace mesh get rsd "$1" --output jsonpath='{.status.deploymentId}'
}

upgrade() {
  local bank tools waited
  bank=$(deployment_of bank)
  tools=$(deployment_of tools)
  if test -z "$bank" || test -z "$tools"; then
    fail "The status of the RestateDeployments bank and tools has no deploymentId."
  fi
  "$HELM" upgrade mesh deploy/helm/agent-mesh --namespace mesh --reset-then-reuse-values \
    --set services.bank.image.tag=$SECOND
  # The condition Ready is briefly still that of the old version, so waiting for it is not enough.
  for ((waited = 0; waited < 300; waited += 5)); do
    if test "$(deployment_of bank)" != "$bank"; then
      break
    fi
    sleep 5
  done
  test "$(deployment_of bank)" != "$bank" || fail "The bank's new version was not registered within 5 minutes."
  ready
  test "$(deployment_of tools)" = "$tools" || fail "The tools were rolled out, although only the bank was upgraded."
}

# The order of docs/operate/install.md: the operator removes finalizers, so remove it last.
remove() {
  local left
  if "$HELM" uninstall mesh --namespace mesh --wait --timeout 3m; then
    fail "helm removed the release, although its RestateDeployments exist."
  fi
  kubectl --namespace mesh delete rsd --all --wait --timeout=15m
  "$HELM" uninstall mesh --namespace mesh --wait --timeout 15m
  kubectl --namespace mesh delete pod test --ignore-not-found
  "$HELM" uninstall mesh-platform --namespace mesh-platform --wait --timeout 5m
  kubectl delete rsc restate --ignore-not-found --wait --timeout=5m
  kubectl delete namespace restate --ignore-not-found --wait --timeout=5m
  left=$(kubectl get rsd,rsc --all-namespaces --output name)
  test -z "$left" || fail "These objects were not removed: $left"
  "$HELM" uninstall mesh-operator --namespace restate-operator --wait --timeout 5m
  left=$("$HELM" list --all-namespaces --all --short)
  test -z "$left" || fail "These releases were not removed: $left"
}

# Collect logs after a failure. Any part may be missing, so no command may fail.
logs() {
  mkdir -p "$LOGS"
  kubectl get all,rsd,rsc --all-namespaces --output wide > "$LOGS/objects.txt" 2>&1 || true
  kubectl get rsd,rsc --all-namespaces --output yaml > "$LOGS/restate.yaml" 2>&1 || true
  kubectl get events --all-namespaces --sort-by=.lastTimestamp > "$LOGS/events.txt" 2>&1 || true
  kind export logs --name "$CLUSTER" "$LOGS/nodes" || true
}

delete() {
  kind delete cluster --name "$CLUSTER"
  rm -f "$KUBECONFIG"
}

step() {
  echo "--- $1"
  "$1"
}

install_helm
if test $# -eq 0; then
  trap 'test $? = 0 || step logs; step delete' EXIT
  for name in create images install smoke upgrade smoke remove; do
    step "$name"
  done
else
  for name in "$@"; do
    case $name in
      create | images | install | smoke | upgrade | remove | logs | delete) step "$name" ;;
      *) fail "Unknown step: $name" ;;
    esac
  done
fi
