#!/usr/bin/env bash
# Builds the image of the Dockerfile, and runs it until it is healthy and has answered. Without Docker it does nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if ! docker version >/dev/null 2>&1; then
    echo "Skipped: there is no Docker daemon on this machine."
    exit 0
fi

image=$(docker build --quiet .)

if docker run --rm "$image" 2>/dev/null; then
    echo "It started without a key, although other machines can reach it."
    exit 1
fi

container=$(docker run --detach --publish 127.0.0.1::8000 --env LLM_GPT_OSS_PROXY_KEY=sesame-sesame-16 "$image")
trap 'docker rm --force --volumes "$container" >/dev/null' EXIT
health=starting
for _ in {1..60}; do
    health=$(docker inspect --format '{{.State.Health.Status}}' "$container")
    [[ $health == starting ]] || break
    sleep 1
done
docker logs "$container"
[[ $health == healthy ]] || { echo "The container is $health."; exit 1; }

url=http://$(docker port "$container" 8000/tcp)
curl --fail --silent --show-error "$url/health"
curl --fail --silent --show-error --head "$url/health"
curl --fail --silent --show-error --header "x-api-key: sesame-sesame-16" --header "Host: host.docker.internal" "$url/v1/models"
status=$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/v1/models")
[[ $status == 401 ]] || { echo "A request without a key got $status."; exit 1; }

docker stop "$container" >/dev/null
code=$(docker inspect --format '{{.State.ExitCode}}' "$container")
[[ $code == 0 ]] || { echo "It stopped with $code."; exit 1; }
