mkdir -p work
cat > work/config.yaml <<END
name: local
version: 1.0.0
schema: v1
models:
  - name: gpt-oss
    provider: openai
    model: gpt-oss
    apiBase: $OPENAI_BASE_URL
    apiKey: any
    roles: [chat]
END
export CONTINUE_TELEMETRY_ENABLED=0
cd work || exit 1
continue="../node_modules/.bin/cn --config config.yaml --allow Bash --print"
case $1 in
plain | stream)
    $continue "What is the capital of Peru?" ;;
tools)
    $continue "What is the weather in Oslo?" ;;
esac
