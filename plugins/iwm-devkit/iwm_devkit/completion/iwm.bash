# Completion of iwm in bash. Written by `iwm completion bash`: write it again when plugins have come or gone.
_iwm_table='@TABLE@'
_iwm_awk='@AWK@'
_iwm() {
  local line="${COMP_LINE:0:COMP_POINT}" found code cur files one
  found="$(printf '%s\n' "$_iwm_table" | IWM_LINE="$line" awk "$_iwm_awk")"
  code=$?
  cur="${line##*[[:space:]]}"
  COMPREPLY=()
  [[ $found ]] && mapfile -t COMPREPLY <<< "$found"
  for one in "${COMPREPLY[@]}"; do [[ $one == *[=.] || $one == *=[[]* ]] && compopt -o nospace; done
  if [[ $code == 3 ]]; then
    mapfile -t files < <(compgen -f -- "$cur")
    [[ $found || ${#files[@]} == 0 ]] || compopt -o filenames
    COMPREPLY+=("${files[@]}")
  fi
  # Where = and : end a word, only what follows the last one is put in place.
  if [[ $cur != [\"\']* && $cur == *[=:]* && $COMP_WORDBREAKS == *=* ]]; then
    cur="${cur%"${cur##*[=:]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$cur"}")
  fi
}
complete -o default -F _iwm iwm
