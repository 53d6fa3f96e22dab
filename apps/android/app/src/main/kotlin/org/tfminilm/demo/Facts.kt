package org.tfminilm.demo

import org.json.JSONException
import org.json.JSONObject

/** Reads what a manifest tells of training and scores; what is odd is left out. */
internal fun factsOf(manifest: String): ModelFacts = try {
    val json = JSONObject(manifest)
    val trainedOn = json.optString("task_name").takeUnless { json.isNull("task_name") || it.isBlank() }
    val metrics = json.optJSONObject("evaluation")?.optJSONObject("metrics")
    ModelFacts(trainedOn?.let(::clipped), metrics?.let(::scores) ?: emptyMap())
} catch (_: JSONException) {
    ModelFacts(null, emptyMap())
}

private fun scores(metrics: JSONObject): Map<String, Double> {
    val found = LinkedHashMap<String, Double>()
    for (split in metrics.keys()) {
        val measures = metrics.optJSONObject(split) ?: continue
        for (name in measures.keys()) {
            val value = measures.optDouble(name)
            if (!value.isNaN() && found.size < MAX_SCORES) found["${inWords(name)} (${clipped(split)})"] = value
        }
    }
    return found
}

private const val MAX_SCORES = 12
