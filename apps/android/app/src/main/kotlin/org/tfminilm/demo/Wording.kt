package org.tfminilm.demo

import android.content.res.Resources
import org.tfminilm.BundleManifest
import org.tfminilm.TaskKind
import org.tfminilm.shown

private const val LONGEST_WORD = 60
private const val LONGEST_TEXT = 400

/** At most [limit] characters: whoever wrote a text may have written a million. */
fun clipped(text: String, limit: Int = LONGEST_TEXT): String {
    if (text.length <= limit) return text
    val end = if (Character.isHighSurrogate(text[limit - 1])) limit - 1 else limit
    return text.substring(0, end) + "…"
}

/** A name such as `not_equivalent` as one would write it: "Not equivalent". */
fun inWords(name: String): String =
    name.replace('_', ' ').trim().shown(LONGEST_WORD).replaceFirstChar { it.uppercaseChar() }

/** How large numbers of a model are: "8-bit". */
fun Resources.precision(id: String): String {
    val text = when (id) {
        "float32" -> R.string.bits_32
        "float16" -> R.string.bits_16
        "dynamic_wi8_afp32", "weight_only_wi8_afp32" -> R.string.bits_8
        "static_wi8_ai8" -> R.string.bits_8_static
        "dynamic_wi4_afp32" -> R.string.bits_4
        else -> return clipped(id, LONGEST_WORD)
    }
    return getString(text)
}

/** "24 MB". */
fun Resources.size(bytes: Long): String {
    val megabytes = bytes / 1e6
    return getString(if (megabytes < 10) R.string.small_megabytes else R.string.megabytes, megabytes)
}

/** "3.4", and "120" where tenths mean nothing. */
fun Resources.milliseconds(time: Double): String =
    String.format(configuration.locales[0], if (time < 10) "%.1f" else "%.0f", time)

/** "8-bit weights, 24 MB · 3.4 ms here"; without the time where it is not known. */
fun Resources.sizeOf(model: AvailableModel, time: Double?): String {
    val precision = precision(model.manifest.precision)
    val size = size(model.bytes)
    return if (time == null) {
        getString(R.string.size, precision, size)
    } else {
        getString(R.string.size_time, precision, size, milliseconds(time))
    }
}

/** What a model is for, in a sentence. */
fun Resources.purposeOf(manifest: BundleManifest): String {
    val isPair = manifest.texts == 2
    val sentence = when (manifest.task) {
        TaskKind.ENCODER -> R.string.does_encode
        TaskKind.QUESTION_ANSWERING -> R.string.does_answer
        TaskKind.REGRESSION -> if (isPair) R.string.does_regress_pair else R.string.does_regress
        TaskKind.CLASSIFICATION -> if (isPair) R.string.does_classify_pair else R.string.does_classify
        TaskKind.MULTI_LABEL_CLASSIFICATION -> R.string.does_label
        TaskKind.TOKEN_CLASSIFICATION -> R.string.does_tag
    }
    val labels = namesOf(manifest)
    val some = labels.take(SOME_LABELS).joinToString(", ") + if (labels.size > SOME_LABELS) ", …" else ""
    return getString(sentence, labels.size, some)
}

/** The labels in words; of tags such as B-LOC and I-LOC, what they say of a word. */
fun namesOf(manifest: BundleManifest): List<String> {
    val isTagged = manifest.task == TaskKind.TOKEN_CLASSIFICATION
    val labels = if (isTagged) {
        manifest.labels.filter { it != "O" }.map { it.removePrefix("B-").removePrefix("I-") }.distinct()
    } else {
        manifest.labels
    }
    return labels.map(::inWords)
}

private const val SOME_LABELS = 4
