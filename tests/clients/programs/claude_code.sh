export ANTHROPIC_MODEL=gpt-oss ANTHROPIC_DEFAULT_HAIKU_MODEL=gpt-oss CLAUDE_CODE_EFFORT_LEVEL=low
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 DISABLE_AUTOUPDATER=1
mkdir -p work && cd work || exit 1
claude() {
    ../node_modules/.bin/claude --print --tools "Bash" --allowedTools "Bash(echo:*)" "$@"
}
case $1 in
plain)
    claude --output-format text "What is the capital of Peru?" ;;
stream | reasoning)
    claude --verbose --output-format stream-json "What is the capital of Peru?" ;;
tools)
    claude --output-format text "What is the weather in Oslo?" ;;
structured)
    claude --output-format json --json-schema '{
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"]
    }' "Invent a dog" | node -e '
        const { name, age } = JSON.parse(require("fs").readFileSync(0)).structured_output;
        console.log(name, age);' ;;
esac
