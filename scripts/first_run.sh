#!/bin/sh
# `make run`: runs a prompt, shows its log entry, and sends one request to the API server.
#
# It uses gpt-oss on Ollama. If that is not installed, it says what is missing and how to install it, and continues
# with a tiny test model from this repository. That model shows that everything works, but its answers are not useful.
#
# Environment: PROMPT is the prompt, YES=1 installs what is missing, BIN is the folder with `llm` and `python`.
set -eu

bin=${BIN:-.venv/bin}
prompt=${PROMPT:-Five outrageous names for a pet pelican}
tiny=gpt-oss-tiny
label="[$tiny, a tiny model for tests. Its answers say nothing about gpt-oss:20b]"

# Print a paragraph, or a command as it would be typed.
say() { printf '\n%s\n' "$*"; }
show() { printf '\n$ %s\n' "$*"; }

missing=$("$bin/llm" gpt-oss status 2>&1 >/dev/null) && missing=
if [ -n "$missing" ] && [ -n "${YES:-}" ]; then
    "$bin/llm" gpt-oss setup --yes
    missing=
fi

if [ -z "$missing" ]; then
    model=gpt-oss
    set --
else
    model=$tiny
    set -- -o temperature 0
    say "gpt-oss:20b cannot answer yet. ${missing#Error: }"
    echo "Type 'make run YES=1' to install what it needs: Ollama and the model, about 14 GB."
    say "Until then, this is $tiny from this repository. It shows what works, but its answers are not useful."
    if ! "$bin/python" -c 'import xllamacpp' 2>/dev/null; then
        echo "Installing xllamacpp to run it (34 MB)"
        "$bin/python" -m pip --disable-pip-version-check --quiet install xllamacpp || {
            say "xllamacpp cannot be installed, so nothing here can run a model. Type 'make run YES=1'."
            exit 1
        }
    fi
    "$bin/llm" gpt-oss models add "$tiny" --gguf tests/models/gpt-oss-tiny.gguf --threads 1 --label "$label" 2>/dev/null
fi

show "llm -m $model '$prompt'"
"$bin/llm" prompt -m "$model" "$@" -- "$prompt"

if [ "$model" = "$tiny" ]; then
    show "llm -m $model --schema 'name, age int' 'Invent a dog' -R"
    "$bin/llm" prompt -m "$model" "$@" --schema 'name, age int' -R -- 'Invent a dog'
    show "llm -m $model -T llm_time 'Call llm_time' --td -R"
    "$bin/llm" prompt -m "$model" "$@" -T llm_time --td -R -- 'Call llm_time'
fi

show "llm logs -n 1 --short"
"$bin/llm" logs -n 1 --short

log=$(mktemp)
"$bin/llm" gpt-oss serve --port 0 -m "$model" 2>"$log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -f "$log"' EXIT INT TERM
url=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    url=$(sed -n 's|^Serving .* at \(http://[^ ]*\)$|\1|p' "$log")
    if [ -n "$url" ] && curl -s -o /dev/null "$url/health"; then break; fi
    kill -0 $server 2>/dev/null || { cat "$log"; exit 1; }
    sleep 0.5
done

body="{\"model\": \"$model\", \"temperature\": 0, \"messages\": [{\"role\": \"user\", \"content\": \"Say hello\"}]}"
show "llm gpt-oss serve &"
show "curl $url/v1/chat/completions --json '$body'"
[ "$model" = "$tiny" ] && echo "$label"
curl -s "$url/v1/chat/completions" -H 'Content-Type: application/json' -d "$body"
echo

say "Next, type '. .venv/bin/activate' and one of these:"
echo "  llm -m $model 'Your prompt'        llm chat -m $model        llm gpt-oss status"
echo "  llm gpt-oss serve                  serve OpenAI's API to apps, and log each request"
echo "README.md describes reasoning effort, tools, schemas and other engines."
