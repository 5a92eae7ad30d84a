mkdir -p "$HOME/.codex" work
cat > "$HOME/.codex/config.toml" <<END
model = "gpt-oss"
model_provider = "llm"
model_context_window = 65536
model_reasoning_effort = "low"
show_raw_agent_reasoning = true

[model_providers.llm]
name = "llm-gpt-oss"
base_url = "$OPENAI_BASE_URL"
wire_api = "responses"
END
codex="$PWD/node_modules/.bin/codex exec --skip-git-repo-check --ephemeral --cd $PWD/work"
case $1 in
plain | stream)
    $codex "What is the capital of Peru?" ;;
reasoning)
    $codex --json "What is the capital of Peru?" ;;
tools)
    $codex "What is the weather in Oslo?" ;;
esac
