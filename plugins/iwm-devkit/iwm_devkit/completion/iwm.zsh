#compdef iwm
# Completion of iwm in zsh. Written by `iwm completion zsh`: write it again when plugins have come or gone.
_iwm_table='@TABLE@'
_iwm_awk='@AWK@'
_iwm() {
  local found code
  found="$(printf '%s\n' "$_iwm_table" | IWM_LINE="${(j: :)words[1,CURRENT-1]} $PREFIX" awk "$_iwm_awk")"
  code=$?
  local -a all=("${(@f)found}")
  local -a open=(${(M)all:#*[=.]} ${(M)all:#*=\[*})
  local -a whole=(${all:|open})
  (( $#open )) && compadd -Q -S '' -a open
  (( $#whole )) && compadd -Q -a whole
  if [[ $code == 3 ]]; then _files
  elif [[ -z $found && $PREFIX == *=* ]]; then compset -P '*=' && _files
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _iwm "$@"; else compdef _iwm iwm; fi
