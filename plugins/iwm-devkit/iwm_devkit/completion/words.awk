# Chooses what may go on a command line of iwm (IWM_LINE, up to the cursor) from a table of lists; ends with 3 where files may stand, too.
BEGIN { FS = "|" }
{ of[$1] = of[$1] "\n" $2 }
function emit(list,    n, i, words) {
  n = split(of[list], words, "\n")
  for (i = 2; i <= n; i++)
    if (words[i] == "@files") files = 1
    else if (words[i] == "@verbs") emit("iwm")
    else if (substr(words[i], 1, 1) == "@") emit(substr(words[i], 2))
    else offer(words[i])
}
function offer(word,    open, begun, rest, stop) {
  open = index(cur, "=[")
  if (open && substr(word, 1, open + 1) == substr(cur, 1, open + 1)) {
    begun = cur
    sub(/^.*[\[,]/, "", begun)
    rest = substr(word, open + 2)
    if (index(rest, begun) == 1 && !index(cur, "]")) say(substr(cur, 1, length(cur) - length(begun)) rest)
  } else if (index(word, cur) == 1 && (word != cur || word !~ /[.=]$/)) {
    rest = substr(word, length(cur) + 1)
    stop = index(cur, "=") || substr(word, 1, 1) == "-" ? 0 : match(rest, /[.=]/)
    say(cur (stop ? substr(rest, 1, stop) : rest))
  }
}
function say(word) { if (!said[word]++) print before word }
END {
  line = ENVIRON["IWM_LINE"]
  count = split(line, typed, " +")
  cur = typed[count--]
  gsub(/^["\047]/, "", cur)
  list = "iwm"
  for (i = 2; i <= count; i++) {
    if ((list " " typed[i]) in of && typed[i] !~ /^--/) list = list " " typed[i]
    else if (list == "iwm" || of[list] ~ /@verbs/) { if (typed[i] in of && typed[i] ~ /^[a-z]+$/) list = typed[i] }
  }
  if (list == "iwm" && count > 1) exit
  switch_ = substr(cur, 1, index(cur, "=") - 1)
  if (cur ~ /^--[a-z-]+=/ && (list " " switch_) in of) {  # --format=t is --format t
    before = switch_ "="
    cur = substr(cur, length(before) + 1)
    emit(list " " switch_)
    exit
  }
  emit((list " " typed[count]) in of ? list " " typed[count] : list)
  if (files && cur !~ /=/) exit 3
}
