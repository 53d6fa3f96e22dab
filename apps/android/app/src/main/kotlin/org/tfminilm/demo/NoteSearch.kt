package org.tfminilm.demo

import java.util.concurrent.CancellationException
import org.tfminilm.cosine

/** A note, and how near it is to what is searched; null where nothing is. */
class Ranked(val note: String, val similarity: Float?)

/** Sorts notes by their meaning. The models' thread alone. */
class NoteSearch {
    private var known = HashMap<String, FloatArray>()
    private var knownBy: AvailableModel? = null

    /** Notes that have not changed keep their vectors. */
    fun rank(model: OpenModel, query: String, notes: List<String>, isStale: () -> Boolean): List<Ranked> {
        if (knownBy !== model.choice) known = HashMap()
        knownBy = model.choice
        known.keys.retainAll(notes.toSet())
        for (note in notes) {
            if (isStale()) throw CancellationException()
            known.getOrPut(note) { model.encoder.encode(note) }
        }
        val vector = model.encoder.encode(query)
        return notes.map { Ranked(it, cosine(vector, known.getValue(it))) }
            .sortedByDescending { it.similarity }
    }
}
