mkdir -p work
cat > work/opencode.json <<END
{
  "\$schema": "https://opencode.ai/config.json",
  "model": "llm/gpt-oss",
  "small_model": "llm/gpt-oss-low",
  "autoupdate": false,
  "share": "disabled",
  "provider": {
    "llm": {
      "npm": "@ai-sdk/openai-compatible",
      "options": {"baseURL": "$OPENAI_BASE_URL", "apiKey": "any"},
      "models": {
        "gpt-oss": {"reasoning": true, "limit": {"context": 65536, "output": 16384}},
        "gpt-oss-low": {"limit": {"context": 65536, "output": 16384}}
      }
    }
  }
}
END
opencode="../node_modules/.bin/opencode run --thinking"
cd work || exit 1
case $1 in
plain | stream | reasoning)
    $opencode "What is the capital of Peru?" ;;
tools)
    $opencode "What is the weather in Oslo?" ;;
esac
